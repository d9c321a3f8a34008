using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Evaluation;

namespace NativeVaccine.Cli.Commands;

/// <summary>
/// A verb that lets a model answer a file of questions and measures the answers. Answers are kept beside the result as they come, so that an
/// interrupted evaluation goes on after them.
/// </summary>
internal abstract class AnsweringVerb(string name, string description, string example, CommandContext context, int newTokens)
    : ModelVerb(name, description, example, context)
{
    /// <summary>Where the result goes, and how fast the answers come.</summary>
    private static readonly string[] ChangeNoAnswer = ["--json", "--threads", "--device-memory", "--config", "--verbose"];

    /// <summary>How the questions are put, and answered.</summary>
    protected PromptGeneration Generation { get; } = new(newTokens);

    /// <summary>Names of options of the verb that say how answers are measured, and so change none.</summary>
    protected virtual IReadOnlyList<string> Measuring => [];

    /// <summary>What a result says of how the answers were made.</summary>
    protected IEnumerable<KeyValuePair<string, JsonNode?>> Describe(LoadedModel model, ParseResult parsed) =>
        [.. model.Describe(), new("template", Generation.TemplateFor(model, parsed).Name)];

    /// <summary>Lets the model answer, and measures.</summary>
    /// <param name="model">The model.</param>
    /// <param name="questions">The questions.</param>
    /// <param name="parsed">The options.</param>
    /// <param name="measure">Measures the answers, one for each question, and writes the result.</param>
    /// <returns>The exit code.</returns>
    protected int Answer(
        LoadedModel model, IReadOnlyList<AlpacaRecord> questions, ParseResult parsed, Func<List<Continuation>, int> measure)
    {
        PreparedPrompts prepared = Generation.Prepare(model, questions, parsed, Terminal.Error.WriteLine);
        using AnswerLog? log = OpenLog(model, questions, parsed);
        try
        {
            List<Continuation> answers =
                log?.Answers.Count == questions.Count ? prepared.Recall(log.Answers, model.Tokenizer) : Ask(model, prepared, log);
            int exitCode = measure(answers);
            log?.Remove();
            return exitCode;
        }
        catch (OperationCanceledException) when (log is not null)
        {
            if (log.Answers.Count == 0)
            {
                log.Remove();
            }
            else
            {
                Terminal.Error.WriteLine(
                    $"{log.Answers.Count} of {questions.Count} answers are kept in {log.Path}: the same command goes on after them");
            }
            throw;
        }
    }

    /// <summary>The answers so far are kept beside a result that is a file.</summary>
    private AnswerLog? OpenLog(LoadedModel model, IReadOnlyList<AlpacaRecord> questions, ParseResult parsed)
    {
        if (parsed.GetValue(Json) is not { } result || AnswerLog.PathFor(result) is not { } path) return null;
        PromptTemplate template = Generation.TemplateFor(model, parsed);
        var origin = new JsonObject(model.DescribeFiles())
        {
            ["template"] = template.Name,
            ["prompts"] = HashOf(questions.Select(template.Prompt)),
            ["options"] = ResultSource.Options(parsed, [.. ChangeNoAnswer, .. Measuring]),
            ["nativevaccine"] = Versions.Current()["nativevaccine"],
        };
        var log = AnswerLog.Open(path, origin, questions.Count, model.Configuration.VocabularySize);
        if (log.Answers.Count > 0)
            Terminal.Error.WriteLine($"{log.Answers.Count} of {questions.Count} answers are there already, in {log.Path}");
        return log;
    }

    private List<Continuation> Ask(LoadedModel model, PreparedPrompts prepared, AnswerLog? log)
    {
        var clock = new Stopwatch();
        long tokens = 0;
        List<Continuation> answers = WithProgress(display =>
        {
            Session session = prepared.Start(model, display, Cancellation);
            clock.Start();
            return prepared.Run(
                session,
                model.Tokenizer,
                display,
                Cancellation,
                (index, continuation) =>
                {
                    log?.Append(index, continuation.NewIds);
                    tokens += continuation.NewIds.Length;
                },
                log is null ? null : new Dictionary<int, int[]>(log.Answers));
        });
        double seconds = clock.Elapsed.TotalSeconds;
        Terminal.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"wrote {tokens} tokens in {seconds:F1} s, reading prompts included: {tokens / seconds:F0} tokens a second"));
        return answers;
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
