using System.CommandLine;
using System.IO.Hashing;
using System.Text;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Output;
using NativeVaccine.Evaluation;

namespace NativeVaccine.Cli.Commands;

/// <summary>
/// A verb that asks a model many questions. What it finds is kept beside the result, question by question, so that an interrupted
/// evaluation goes on after them.
/// </summary>
internal abstract class ResumableVerb(string name, string description, string example, CommandContext context)
    : ModelVerb(name, description, example, context)
{
    /// <summary>Where the result goes, and how fast it comes.</summary>
    private static readonly string[] ChangeNothing = ["--json", "--threads", "--device-memory", "--config", "--verbose"];

    /// <summary>Names of options of the verb that say how answers are measured, and so change none.</summary>
    protected virtual IReadOnlyList<string> Measuring => [];

    /// <summary>Evaluates with what an earlier evaluation kept; at the end nothing is kept any more.</summary>
    /// <param name="model">The model.</param>
    /// <param name="parsed">The options.</param>
    /// <param name="count">How many questions there are.</param>
    /// <param name="questions">All that the model is asked, in the order of the results; read where something is kept.</param>
    /// <param name="more">What else the results depend on, beside the model, the questions and the options.</param>
    /// <param name="field">What is kept of a question.</param>
    /// <param name="evaluate">Evaluates and writes the result; it is given null where a result is no file.</param>
    /// <returns>The exit code.</returns>
    protected int Keeping<T>(
        LoadedModel model,
        ParseResult parsed,
        int count,
        IEnumerable<string> questions,
        IEnumerable<KeyValuePair<string, JsonNode?>> more,
        PartialField<T> field,
        Func<PartialResults<T>?, int> evaluate) where T : class
    {
        using PartialResults<T>? kept = Open(model, parsed, count, questions, more, field);
        try
        {
            int exitCode = evaluate(kept);
            kept?.Remove();
            return exitCode;
        }
        catch (OperationCanceledException) when (kept is not null)
        {
            if (kept.Results.Count == 0)
            {
                kept.Remove();
            }
            else
            {
                Terminal.Error.WriteLine(
                    $"{kept.Results.Count} of {count} answers are kept in {kept.Path}: the same command goes on after them");
            }
            throw;
        }
    }

    private PartialResults<T>? Open<T>(
        LoadedModel model,
        ParseResult parsed,
        int count,
        IEnumerable<string> questions,
        IEnumerable<KeyValuePair<string, JsonNode?>> more,
        PartialField<T> field) where T : class
    {
        if (parsed.GetValue(Json) is not { } result || PartialResults.PathFor(result) is not { } path) return null;
        var origin = new JsonObject([
            .. model.DescribeFiles(),
            .. more,
            new("prompts", HashOf(questions)),
            new("options", ResultSource.Options(parsed, [.. ChangeNothing, .. Measuring])),
            new("nativevaccine", Versions.Current()["nativevaccine"]),
        ]);
        var kept = PartialResults.Open(path, origin, count, field);
        if (kept.Results.Count > 0)
            Terminal.Error.WriteLine($"{kept.Results.Count} of {count} answers are there already, in {kept.Path}");
        return kept;
    }

    private static string HashOf(IEnumerable<string> texts)
    {
        var hash = new XxHash128();
        foreach (string text in texts)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            hash.Append(BitConverter.GetBytes(utf8.Length));
            hash.Append(utf8);
        }
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }
}
