using System.Text.Json;
using NativeVaccine.Data;
using NativeVaccine.IO;

namespace NativeVaccine.Evaluation;

/// <summary>
/// Reads the questions of a task, records of instruction, input (optional) and output, which is the right answer; or answers that were given
/// before, records of <c>output</c> and <c>label</c> (a class, its number, or a text with the right number; <c>gold_text</c> is understood,
/// too), or the result of an evaluation. A JSON array (.json), or one a line (.jsonl, .ndjson).
/// </summary>
public static class TaskFile
{
    private static readonly string[] GoldFields = ["label", "gold_text"];

    /// <summary>The questions of a file, not answered yet.</summary>
    /// <exception cref="InputException">The file cannot be read, is in none of these forms, or holds no question.</exception>
    public static IReadOnlyList<TaskAnswer> ReadQuestions(string path, AnswerTask task)
    {
        var questions = new List<TaskAnswer>();
        AnswerFile.EachRecord(path, (item, where) =>
        {
            var record = AlpacaRecord.Read(item, where, outputRequired: true);
            questions.Add(new TaskAnswer(record with { Output = "" }, task.Gold(record.Output, $"{where}: field 'output'")));
        });
        return questions.Count > 0 ? questions : throw new InputException($"{path}: no questions: expected at least one");
    }

    /// <summary>The answers of a file.</summary>
    /// <exception cref="InputException">The file cannot be read, is in none of these forms, or holds no answer.</exception>
    public static IReadOnlyList<TaskAnswer> ReadAnswers(string path, AnswerTask task)
    {
        var answers = new List<TaskAnswer>();
        AnswerFile.EachRecord(path, (item, where) => answers.Add(new TaskAnswer(Answer(item, where), Gold(item, task, where))));
        return answers.Count > 0 ? answers : throw new InputException($"{path}: no answers: expected at least one");
    }

    /// <summary>The answers of a file to the questions of another, in the same order.</summary>
    /// <exception cref="InputException">There are more or fewer of them, or one is to another question.</exception>
    public static IReadOnlyList<TaskAnswer> ReadAnswers(string path, string questionPath, AnswerTask task)
    {
        IReadOnlyList<TaskAnswer> questions = ReadQuestions(questionPath, task);
        var answers = new List<AlpacaRecord>();
        AnswerFile.EachRecord(path, (item, where) =>
        {
            AlpacaRecord answer = Answer(item, where);
            if (answers.Count < questions.Count && IsToAnother(answer, questions[answers.Count].Record))
            {
                throw new InputException(FormattableString.Invariant(
                    $"{where}: answers another question than record {answers.Count} of {questionPath}"));
            }
            answers.Add(answer);
        });
        if (answers.Count != questions.Count)
        {
            throw new InputException(FormattableString.Invariant(
                $"{path}: {answers.Count} answers: expected one for each of the {questions.Count} records of {questionPath}"));
        }
        return [.. questions.Zip(answers, static (question, answer) => question with { Record = question.Record with { Output = answer.Output } })];
    }

    /// <summary>Answers may be given without their questions.</summary>
    private static bool IsToAnother(AlpacaRecord answer, AlpacaRecord question) =>
        answer.Instruction.Length > 0 && (answer.Instruction, answer.Input) != (question.Instruction, question.Input);

    private static AlpacaRecord Answer(JsonElement item, string where)
    {
        if (JsonRecord.Optional(item, "output") is null)
            throw RecordForms.Missing(item, "output", where, "output, and label or a --data file with the right answers");
        return new AlpacaRecord(
            JsonRecord.OptionalText(item, "instruction", where) ?? "",
            JsonRecord.OptionalText(item, "input", where) ?? "",
            JsonRecord.RequiredText(item, "output", where));
    }

    private static string Gold(JsonElement item, AnswerTask task, string where)
    {
        foreach (string field in GoldFields)
        {
            if (JsonRecord.Optional(item, field) is not { } value) continue;
            string text = value.ValueKind switch
            {
                JsonValueKind.String => value.GetString()!,
                JsonValueKind.Number => value.GetRawText(),
                _ => throw new InputException($"{where}: field '{field}' is {JsonRecord.Describe(value)}: expected a text or a number"),
            };
            return task.Gold(text, $"{where}: field '{field}'");
        }
        throw RecordForms.Missing(item, GoldFields[0], where, "output and label, or a --data file with the right answers");
    }
}
