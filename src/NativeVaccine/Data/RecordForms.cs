using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Data;

/// <summary>Knows the records of the field's data sets by their fields, to say what was given where another form was expected.</summary>
internal static class RecordForms
{
    private const int MostFields = 8;

    private static readonly (string[] Fields, string Name)[] Known =
    [
        (["chosen", "rejected"], "preference pairs (chosen, rejected)"),
        (["prompt", "response"], "BeaverTails (prompt, response)"),
        (["prompt", "completion"], "prompt and completion"),
        (["question", "answer"], "GSM8K (question, answer)"),
        (["messages"], "chat (messages)"),
        (["conversations"], "ShareGPT (conversations)"),
        (["goal", "target"], "AdvBench (goal, target)"),
        (["goal"], "HarmBench or JailbreakBench (goal)"),
        (["behavior"], "HarmBench (behavior)"),
        (["Behavior"], "HarmBench (Behavior)"),
        (["question", "choices"], "multiple choice (question, choices)"),
        (["sentence", "label"], "SST-2 (sentence, label)"),
        (["text", "label"], "text classification (text, label)"),
        (["prompt"], "a prompt alone (prompt)"),
        (["text"], "plain text (text)"),
    ];

    /// <summary>The refusal of a record that lacks a field, or says that it is null.</summary>
    /// <param name="record">The record.</param>
    /// <param name="field">What it lacks.</param>
    /// <param name="where">Which record it is.</param>
    /// <param name="expected">The form that was expected.</param>
    public static InputException Missing(JsonElement record, string field, string where, string expected) =>
        new($"{where}: field '{field}' is {JsonRecord.Absence(record, field)}: {Describe(record)}; expected {expected}");

    private static string Describe(JsonElement record)
    {
        foreach ((string[] fields, string name) in Known)
        {
            if (fields.All(field => JsonRecord.Optional(record, field) is not null)) return $"this looks like {name}, which is not read here";
        }
        string[] names = [.. record.EnumerateObject().Take(MostFields + 1).Select(static property => InputText.Shorten(property.Name))];
        string more = names.Length > MostFields ? ", ..." : "";
        return names.Length == 0 ? "it has no fields" : $"it has {string.Join(", ", names.Take(MostFields))}{more}";
    }
}
