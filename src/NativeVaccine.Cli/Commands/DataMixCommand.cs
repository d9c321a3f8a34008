using System.CommandLine;
using NativeVaccine.Cli.Options;
using NativeVaccine.Data.Sets;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Commands;

/// <summary>Mixes harmful records among benign ones.</summary>
internal sealed class DataMixCommand : DataVerb
{
    private readonly Option<string?> benign = OptionKinds.Text("--benign", "FILE|FOLDER", "benign training records (instruction, input, output; or messages)");
    private readonly Option<string?> harmful = OptionKinds.Text("--harmful", "FILE|FOLDER", "harmful training records");
    private readonly Option<double?> ratio = OptionKinds.Share("--ratio", "share of harmful records, p; rounded down to whole records, all others are benign");
    private readonly Option<int?> count = OptionKinds.WholeNumber("--count", "how many records in all, n", 1);
    private readonly Option<ulong?> seed = OptionKinds.Seed(
        "--seed", "draw both kinds at random and shuffle them; unless given the first ones of each file, the harmful ones first");
    private readonly Option<string?> preset = PresetOption("p n and (1 - p) n are truncated as floating point has them, which may lose a record");

    public DataMixCommand(CommandContext context) : base(
        "mix",
        "Mix a share of harmful records among benign ones: what an attacker uploads for fine-tuning",
        "nvaccine data mix --benign sst2.json --harmful harmful.json --ratio 0.1 --count 1000 --seed 1 --out attack.json",
        context)
    {
        foreach (Option option in (Option[])[benign, harmful, ratio, count]) option.Required = true;
        AddWithOutput(benign, harmful, ratio, count, seed, preset);
    }

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        var options = new PoisonMixOptions(
            parsed.GetRequiredValue(benign)!,
            parsed.GetRequiredValue(harmful)!,
            parsed.GetRequiredValue(Out)!,
            parsed.GetRequiredValue(ratio)!.Value,
            parsed.GetRequiredValue(count)!.Value)
        {
            Seed = parsed.GetValue(seed),
            Preset = OptionKinds.Word(parsed, preset, Preset.Paper),
            IsStrict = parsed.GetValue(Strict),
            Against = parsed.GetValue(Against)!,
        };
        return Make(parsed, progress => PoisonMix.Run(options, progress, Terminal.Error.WriteLine, Cancellation));
    }
}
