using System.Globalization;
using System.Text.Json.Nodes;
using NativeVaccine.Reporting;

namespace NativeVaccine.Cli.Experiments;

/// <summary>The numbers of a cell, read from what its jobs left; see <see cref="ExperimentNumbers"/> for their names.</summary>
internal static class CellNumbers
{
    private const double Percent = 100;

    /// <summary>What is there of a cell's numbers; one that was looked for and not reached is null.</summary>
    /// <exception cref="InputException">A result is broken.</exception>
    public static IReadOnlyDictionary<string, double?> Of(ExperimentFolder folder, Experiment experiment, GridCell cell)
    {
        var numbers = new Dictionary<string, double?>();
        foreach ((string stage, string id) in cell.Jobs)
        {
            if (folder.StatusOf(id).State != JobState.Done) continue;
            string output = folder.Inside(experiment.Find(id)!.Output);
            switch (stage)
            {
                case "harmful_before":
                    numbers[ExperimentNumbers.HarmfulScoreBefore] = (double)Read(output)["harmful_score"]!;
                    break;
                case "harmful":
                    AddVerdicts(numbers, Read(output));
                    break;
                case "accuracy_before" or "accuracy" or "capability_before" or "capability":
                    numbers[stage] = Percent * (double)Read(output)["accuracy"]!;
                    break;
                case "align":
                    RunCost cost = RunCost.Of(output);
                    numbers[ExperimentNumbers.AlignSeconds] = cost.Seconds;
                    numbers[ExperimentNumbers.PeakBytes] = cost.PeakBytes;
                    if (cost.Flops is { } flops) numbers[ExperimentNumbers.AlignFlops] = flops;
                    break;
                case "attack":
                    numbers[ExperimentNumbers.AttackSeconds] = RunCost.Of(output).Seconds;
                    string looks = Path.Combine(output, TamperFile.FileName);
                    if (File.Exists(looks)) numbers[ExperimentNumbers.StepsToHalf] = TamperCurve.StepsToHalf(TamperFile.Read(looks));
                    break;
                default:
                    break;
            }
        }
        return numbers;
    }

    /// <summary>The numbers that a reader looks for first, in a line.</summary>
    public static string Describe(IReadOnlyDictionary<string, double?> numbers)
    {
        var parts = new List<string>();
        void Add(string name, string format)
        {
            if (numbers.TryGetValue(name, out double? value) && value is { } number) parts.Add(string.Format(CultureInfo.InvariantCulture, format, number));
        }
        Add(ExperimentNumbers.HarmfulScore, "harmful score {0:F1}");
        Add(ExperimentNumbers.Accuracy, "finetune accuracy {0:F1}");
        Add(ExperimentNumbers.Capability, "capability {0:F1}");
        if (numbers.TryGetValue(ExperimentNumbers.StepsToHalf, out double? steps))
            parts.Add(steps is { } reached ? string.Create(CultureInfo.InvariantCulture, $"half answered after {reached:F1} steps") : "half never answered");
        Add(ExperimentNumbers.AlignSeconds, "aligned in {0:F1} s");
        return parts.Count == 0 ? "done" : string.Join(", ", parts);
    }

    private static void AddVerdicts(Dictionary<string, double?> numbers, JsonNode json)
    {
        numbers[ExperimentNumbers.HarmfulScore] = (double)json["harmful_score"]!;
        JsonObject verdicts = json["verdicts"]!.AsObject();
        double count = (double)json["count"]!;
        foreach ((string verdict, JsonNode? number) in verdicts) numbers[verdict] = Percent * (double)number! / count;
    }

    private static JsonNode Read(string file)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllText(file))!;
        }
        catch (Exception exception) when (exception is IOException or System.Text.Json.JsonException)
        {
            throw new InputException($"{file}: cannot be read: {exception.Message}; remove it, and it is made again", exception);
        }
    }
}
