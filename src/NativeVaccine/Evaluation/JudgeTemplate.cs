using System.Text.Json;
using System.Text.RegularExpressions;
using NativeVaccine.Chat;
using NativeVaccine.IO;

namespace NativeVaccine.Evaluation;

/// <summary>
/// How a causal model is asked whether an answer is harmful, and which first tokens of its reply say what. Those that come with this program
/// are in judge-templates.json; any other is a JSON file:
/// <list type="bullet">
/// <item><c>template</c>: the text, with {instruction} and {response}; special tokens in it are tokens, in what it is filled with they are
/// text;</item>
/// <item><c>positive</c> and <c>negative</c>: spellings of the reply that means harmful (1), and of the one that does not (0); or
/// <c>scale</c>, replies with their values from 0 to 1;</item>
/// <item><c>threshold</c>: an answer whose score is above it is harmful; 0.5 unless given;</item>
/// <item><c>response_tokens</c>: only so many tokens of an answer are shown; all unless given;</item>
/// <item><c>trim</c>: true if white space around questions and answers is left out;</item>
/// <item><c>source</c> and <c>license</c>: where the template is from; kept in results.</item>
/// </list>
/// </summary>
public sealed partial class JudgeTemplate
{
    private const string InstructionMark = "{instruction}";
    private const string ResponseMark = "{response}";

    private static readonly string[] Fields =
        ["name", "source", "license", "template", "positive", "negative", "scale", "threshold", "response_tokens", "trim"];

    private readonly string[] parts;
    private readonly bool trims;

    private JudgeTemplate(JsonElement json, string where)
    {
        JsonRecord.RequireObject(json, where);
        foreach (JsonProperty field in json.EnumerateObject())
        {
            if (!Fields.Contains(field.Name))
                throw new InputException($"{where}: field '{InputText.Shorten(field.Name)}' is not known: expected {string.Join(", ", Fields)}");
        }
        var fields = new JsonFields(where, json);
        Name = JsonRecord.OptionalText(json, "name", where) ?? where;
        Source = JsonRecord.OptionalText(json, "source", where);
        License = JsonRecord.OptionalText(json, "license", where);
        string text = JsonRecord.RequiredText(json, "template", where);
        parts = [.. Marks().Split(text)];
        if (!parts.Contains(InstructionMark) || !parts.Contains(ResponseMark))
            throw new InputException($"{where}: field 'template' lacks {InstructionMark} or {ResponseMark}: expected both");
        Threshold = fields.Number("threshold", static value => value is >= 0 and < 1, "a number from 0 and below 1", 0.5);
        ResponseTokens = fields.Has("response_tokens") ? fields.WholeNumber("response_tokens", 1, int.MaxValue) : null;
        trims = fields.Boolean("trim", false);
        Answers = ReadAnswers(fields, where);
    }

    /// <summary>Those that come with this program.</summary>
    public static IReadOnlyList<JudgeTemplate> Known { get; } = ReadKnown();

    /// <summary>By which it is selected; of a file, its path.</summary>
    public string Name { get; }

    /// <summary>Where the text is from.</summary>
    public string? Source { get; }

    /// <summary>Under which licence text and model were published.</summary>
    public string? License { get; }

    /// <summary>An answer whose score is above it is harmful.</summary>
    public double Threshold { get; }

    /// <summary>How many tokens of an answer are shown; null for all.</summary>
    public int? ResponseTokens { get; }

    /// <summary>Texts with which a reply may begin, and what each is worth, from 0 to 1.</summary>
    public IReadOnlyList<(string Text, double Value)> Answers { get; }

    /// <summary>What the template itself writes.</summary>
    internal IEnumerable<string> Literals => parts.Where(static part => part is not (InstructionMark or ResponseMark));

    /// <summary>The template of a name, or of a JSON file.</summary>
    /// <exception cref="InputException">There is none of this name, or the file is no template.</exception>
    public static JudgeTemplate Open(string nameOrPath)
    {
        if (Known.FirstOrDefault(template => template.Name == nameOrPath) is { } known) return known;
        if (!nameOrPath.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            throw new InputException(
                $"unknown judge template {InputText.Quote(nameOrPath)}: expected "
                + $"{string.Join(", ", Known.Select(static template => template.Name))}, or a .json file");
        }
        using JsonDocument document = JsonFile.ParseObject(InputFile.ReadText(nameOrPath), nameOrPath);
        return new JudgeTemplate(document.RootElement, nameOrPath);
    }

    /// <summary>The text about an answer, in pieces.</summary>
    internal IEnumerable<ChatPiece> Pieces(string instruction, string response) => parts.Select(part => part switch
    {
        InstructionMark => new ChatPiece(trims ? instruction.Trim() : instruction, IsTemplate: false),
        ResponseMark => new ChatPiece(trims ? response.Trim() : response, IsTemplate: false),
        _ => new ChatPiece(part, IsTemplate: true),
    });

    private static JudgeTemplate[] ReadKnown()
    {
        using Stream resource = typeof(JudgeTemplate).Assembly.GetManifestResourceStream("judge-templates.json")!;
        using var document = JsonDocument.Parse(resource);
        return [.. document.RootElement.EnumerateArray().Select(static item => new JudgeTemplate(item, "judge-templates.json"))];
    }

    private static List<(string Text, double Value)> ReadAnswers(JsonFields fields, string where)
    {
        var answers = new List<(string, double)>();
        if (fields.Fields("scale") is { } scale)
        {
            if (fields.Has("positive") || fields.Has("negative"))
                throw new InputException($"{where}: field 'scale' stands beside positive or negative: expected one or the other");
            foreach (JsonProperty answer in scale.Element.EnumerateObject())
                answers.Add((answer.Name, scale.Number(answer.Name, static value => value is >= 0 and <= 1, "a number from 0 to 1")));
        }
        else
        {
            foreach ((string field, double value) in ((string, double)[])[("positive", 1), ("negative", 0)])
            {
                IReadOnlyList<string> texts = fields.Texts(field) ?? throw fields.Missing(field, "a list of replies, or scale");
                if (texts.Count == 0) throw new InputException($"{where}: field '{field}' is empty: expected at least one reply");
                answers.AddRange(texts.Select(text => (text, value)));
            }
        }
        return answers.Select(static answer => answer.Item2).Distinct().Count() > 1
            ? answers
            : throw new InputException($"{where}: field 'scale' has no two values: expected replies that mean different things");
    }

    [GeneratedRegex(@"(\{instruction\}|\{response\})", RegexOptions.CultureInvariant)]
    private static partial Regex Marks();
}
