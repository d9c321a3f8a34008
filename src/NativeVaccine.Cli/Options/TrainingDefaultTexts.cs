using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.Methods;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Options;

/// <summary>The defaults of training options for help, taken from the options themselves.</summary>
internal static class TrainingDefaultTexts
{
    /// <summary>By the names of options: "0.001", or "vaccine 2, tvaccine 3" where methods differ; those of the preset paper.</summary>
    public static IReadOnlyDictionary<string, string> Of(TrainingStage stage)
    {
        (string Method, JsonObject Fields)[] all = [.. MethodCatalog.NamesFor(stage).Select(method => (method, Fields(stage, method)))];
        var texts = new Dictionary<string, string>();
        foreach (string field in all.SelectMany(static one => one.Fields.Select(static field => field.Key)).Distinct())
        {
            (string Method, string? Text)[] values =
                [.. all.Where(one => one.Fields.ContainsKey(field)).Select(one => (one.Method, Text(one.Fields[field]))).Where(static value => value.Item2 is not null)];
            string[] known = [.. values.Select(static value => value.Text!).Distinct()];
            string text = known.Length == 1 ? known[0] : string.Join(", ", values.Select(static value => $"{value.Method} {value.Text}"));
            if (text.Length > 0) texts[$"--{field.Replace('_', '-')}"] = text;
        }
        return texts;
    }

    private static JsonObject Fields(TrainingStage stage, string method)
    {
        JsonObject fields = JsonNode.Parse(TrainingOptionsJson.Write(TrainingDefaults.For(stage, method, Preset.Paper)))!.AsObject();
        foreach (string name in new[] { "method", "stage", "versions", "adapter" }) fields.Remove(name);
        return fields;
    }

    private static string? Text(JsonNode? value) => value switch
    {
        JsonArray { Count: > 0 } list => string.Join(',', list),
        JsonValue number when number.GetValueKind() == JsonValueKind.Number => number.ToString().ToLowerInvariant(),
        JsonValue text when text.GetValueKind() == JsonValueKind.String => text.ToString(),
        _ => null,
    };
}
