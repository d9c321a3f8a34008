using System.Globalization;
using System.Text;
using System.Text.Json;
using CsvHelper;
using CsvHelper.Configuration;
using NativeVaccine.IO;

namespace NativeVaccine.Data;

/// <summary>
/// Reads questions with choices: MMLU's CSV (Hendrycks et al., arXiv 2009.03300), which has no header: question, choices and the letter of
/// the right one; or records of <c>question</c>, <c>choices</c> and <c>answer</c> (its index from 0, or its letter), and optionally
/// <c>subject</c>, as a JSON array (.json) or one a line (.jsonl, .ndjson).
/// </summary>
public static class ChoiceFile
{
    private const string Form = "question, choices (a list of texts) and answer (the right one's index from 0)";

    /// <summary>The questions of a file, in its order.</summary>
    /// <param name="path">The file. What its name has before "_test" is the subject of questions that do not say theirs.</param>
    /// <param name="notice">Told in a line which fields of its records are not used.</param>
    /// <exception cref="InputException">The file cannot be read, is in none of these forms, or holds no question.</exception>
    public static IReadOnlyList<ChoiceQuestion> Read(string path, Action<string>? notice = null)
    {
        List<ChoiceQuestion> questions;
        if (path.EndsWith(".csv", StringComparison.OrdinalIgnoreCase))
        {
            questions = ParseTable(InputFile.ReadText(path), path);
        }
        else
        {
            (ReadOnlyMemory<byte> content, DataForm form) = DataFile.Read(path, "records", orText: false);
            questions = ParseRecords(content, path, form, notice);
        }
        if (questions.Count == 0) throw new InputException($"{path}: no questions: expected at least one");
        string? subject = SubjectOf(path);
        return subject is null ? questions : [.. questions.Select(question => question with { Subject = question.Subject ?? subject })];
    }

    /// <summary>What a file of MMLU is about: college_biology_test.csv is about college biology.</summary>
    internal static string? SubjectOf(string path)
    {
        string name = Path.GetFileName(path);
        int end = name.LastIndexOf("_test", StringComparison.Ordinal);
        return end > 0 ? name[..end].Replace('_', ' ') : null;
    }

    internal static List<ChoiceQuestion> ParseTable(ReadOnlyMemory<byte> utf8, string source)
    {
        DataFile.RequireText(utf8.Span, source);
        if (!System.Text.Unicode.Utf8.IsValid(utf8.Span)) throw new InputException($"{source}: not valid UTF-8 text: expected a table in CSV");
        var form = new CsvConfiguration(CultureInfo.InvariantCulture) { HasHeaderRecord = false };
        using var table = new CsvParser(new StringReader(Encoding.UTF8.GetString(utf8.Span)), form);
        var questions = new List<ChoiceQuestion>();
        try
        {
            while (table.Read()) questions.Add(OfRow(table.Record!, Line(source, table.RawRow)));
        }
        catch (CsvHelperException exception)
        {
            throw new InputException(
                $"{Line(source, table.RawRow)}: broken CSV: a quotation mark stands where none may: expected \"\" within quoted text", exception);
        }
        return questions;
    }

    private static string Line(string source, int line) => string.Create(CultureInfo.InvariantCulture, $"{source}:{line}");

    private static ChoiceQuestion OfRow(string[] fields, string where)
    {
        if (fields.Length < 4)
            throw new InputException($"{where}: {fields.Length} columns: expected a question, two or more choices, and the letter of the right one");
        string[] choices = fields[1..^1];
        string letter = fields[^1].Trim();
        return new ChoiceQuestion(fields[0], RequireCount(choices, where), IndexOf(letter, choices.Length) ?? throw new InputException(
            $"{where}: the last column is {InputText.Quote(letter)}: expected the right choice's letter, {Letters(choices.Length)} "
            + "(there is no header)"));
    }

    private static List<ChoiceQuestion> ParseRecords(ReadOnlyMemory<byte> utf8, string source, DataForm form, Action<string>? notice)
    {
        var questions = new List<ChoiceQuestion>();
        var census = new FieldCensus(["question", "choices", "answer", "subject"]);
        DataFile.EachItem(utf8, source, form, "record", (item, where) =>
        {
            JsonRecord.RequireObject(item, where);
            questions.Add(OfRecord(item, where));
            census.Add(item);
        });
        foreach (string line in census.Notices()) notice?.Invoke($"{source}: {line}");
        return questions;
    }

    private static ChoiceQuestion OfRecord(JsonElement record, string where)
    {
        foreach (string field in (string[])["question", "choices", "answer"])
        {
            if (JsonRecord.Optional(record, field) is null) throw RecordForms.Missing(record, field, where, Form);
        }
        JsonElement list = JsonRecord.Required(record, "choices", where);
        if (list.ValueKind != JsonValueKind.Array || list.EnumerateArray().Any(static item => item.ValueKind != JsonValueKind.String))
            throw new InputException($"{where}: field 'choices' is {JsonRecord.Describe(list)}: expected a list of texts");
        string[] choices = [.. list.EnumerateArray().Select(static item => item.GetString()!)];
        return new ChoiceQuestion(
            JsonRecord.RequiredText(record, "question", where),
            RequireCount(choices, where),
            AnswerOf(JsonRecord.Required(record, "answer", where), choices.Length, where))
        {
            Subject = JsonRecord.OptionalText(record, "subject", where)?.Replace('_', ' '),
        };
    }

    private static int AnswerOf(JsonElement answer, int choices, string where)
    {
        int? index = answer.ValueKind == JsonValueKind.String
            ? IndexOf(answer.GetString()!, choices)
            : JsonRecord.Integer(answer, "answer", where) is var number && number >= 0 && number < choices ? number : null;
        return index ?? throw new InputException(
            $"{where}: field 'answer' is {InputText.Shorten(answer.GetRawText())}: expected the right choice's index, "
            + FormattableString.Invariant($"0 to {choices - 1}, or its letter, {Letters(choices)}"));
    }

    private static string[] RequireCount(string[] choices, string where) => choices.Length is >= 2 and <= ChoiceQuestion.MostChoices
        ? choices
        : throw new InputException($"{where}: {choices.Length} choices: expected 2 to {ChoiceQuestion.MostChoices}");

    private static int? IndexOf(string letter, int choices) =>
        letter is [>= 'A' and <= 'Z'] && letter[0] - 'A' < choices ? letter[0] - 'A' : null;

    private static string Letters(int choices) => $"A to {ChoiceQuestion.LetterOf(choices - 1)}";
}
