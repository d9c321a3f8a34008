using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Data;

/// <summary>Knows the records of the field's data sets by their fields, to say what was given where another form was expected.</summary>
internal static class RecordForms
{
    private const int MostFields = 8;
    private const string OfPrompts = "prompts";

    /// <summary>Their fields, what they are, and the verb of nvaccine data that makes records or prompts of them.</summary>
    private static readonly (string[] Fields, string Name, string? Verb)[] Known =
    [
        (["chosen", "rejected"], "preference pairs (chosen, rejected)", null),
        (["refusal"], "BeaverTails with refusals (refusal)", "refusals"),
        (["prompt", "response"], "BeaverTails (prompt, response)", "beavertails"),
        (["prompt", "continuation"], "DecodingTrust (prompt, continuation)", "decoding-trust"),
        (["prompt", "completion"], "prompt and completion", null),
        (["question", "answer"], "GSM8K (question, answer)", "gsm8k"),
        (["messages"], "chat (messages)", null),
        (["conversations"], "ShareGPT (conversations)", "chat"),
        (["goal", "target"], "AdvBench (goal, target)", OfPrompts),
        (["goal"], "HarmBench or JailbreakBench (goal)", OfPrompts),
        (["behavior"], "HarmBench (behavior)", OfPrompts),
        (["Behavior"], "HarmBench (Behavior)", OfPrompts),
        (["forbidden_prompt"], "StrongREJECT (forbidden_prompt)", OfPrompts),
        (["turns"], "SORRY-Bench (turns)", OfPrompts),
        (["question", "choices"], "multiple choice (question, choices)", null),
        (["sentence", "label"], "SST-2 (sentence, label)", "sst2"),
        (["text", "label"], "text classification (text, label)", "ag-news"),
        (["prompt"], "a prompt alone (prompt)", OfPrompts),
        (["text"], "plain text (text)", null),
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
        foreach ((string[] fields, string name, string? verb) in Known)
        {
            if (!fields.All(field => JsonRecord.Optional(record, field) is not null)) continue;
            string way = verb is null ? "" : $" (nvaccine data {verb} makes {(verb == OfPrompts ? OfPrompts : "records")} of it)";
            return $"this looks like {name}, which is not read here{way}";
        }
        string[] names = [.. record.EnumerateObject().Take(MostFields + 1).Select(static property => InputText.Shorten(property.Name))];
        string more = names.Length > MostFields ? ", ..." : "";
        return names.Length == 0 ? "it has no fields" : $"it has {string.Join(", ", names.Take(MostFields))}{more}";
    }
}
