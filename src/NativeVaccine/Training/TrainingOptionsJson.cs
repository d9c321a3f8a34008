using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.IO;
using NativeVaccine.Methods;

namespace NativeVaccine.Training;

/// <summary>Reads and writes the config.json of a run.</summary>
public static class TrainingOptionsJson
{
    /// <summary>Paths appear as they are, not in escapes.</summary>
    private static readonly TrainingJsonContext Readable =
        new(new JsonSerializerOptions(TrainingJsonContext.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>The text of a config.json. It leaves out what changes nothing in such a run: see <see cref="UnusedOptions"/>.</summary>
    public static string Write(TrainingOptions options) => JsonSerializer.Serialize(Fields(options), Readable.JsonObject) + "\n";

    /// <summary>The fields of a config.json.</summary>
    internal static JsonObject Fields(TrainingOptions options)
    {
        JsonObject fields = JsonSerializer.SerializeToNode(options, Readable.TrainingOptions)!.AsObject();
        foreach (string name in UnusedOptions.Of(options).Keys) fields.Remove(name);
        int place = fields.IndexOf("method") + 1;
        foreach (MethodOption option in MethodCatalog.Find(options.Method)?.Options ?? [])
        {
            if (options.Settings.Find(option) is { } value) fields.Insert(place++, option.Name, option.Write(value));
        }
        return fields;
    }

    /// <summary>The settings of the method and of the adapter in a line, by the names of config.json.</summary>
    internal static string Describe(TrainingOptions options)
    {
        JsonObject fields = Fields(options);
        IEnumerable<string> names = MethodCatalog.Find(options.Method)!.Options.Where(static option => option is not PoolOption)
            .Select(static option => option.Name)
            .Concat(["learning_rate", "schedule", "warmup_ratio", "lora_rank", "lora_alpha", "dropout"]);
        IEnumerable<string> settings = names.Where(fields.ContainsKey).Select(name => $"{name} {fields[name]}");
        return $"method {options.Method}, preset {fields["preset"]}: {string.Join(", ", settings)}{(options.Full ? ", all parameters" : "")}";
    }

    internal static string Write(AdapterRecord record) => JsonSerializer.Serialize(record, Readable.AdapterRecord) + "\n";

    /// <summary>Reads a config.json and checks every value by itself. What it does not name has its default.</summary>
    /// <exception cref="InputException">Missing, broken, with a field that does not exist or a value that cannot be used.</exception>
    public static TrainingOptions Read(string file) => Parse(InputFile.ReadAllBytes(file, JsonFile.DefaultMaximumBytes), file);

    internal static TrainingOptions Parse(ReadOnlyMemory<byte> json, string file)
    {
        using JsonDocument document = JsonFile.ParseObject(json, file);
        try
        {
            JsonObject fields = WithDefaults(document.RootElement);
            MethodSettings settings = TakeSettings(fields, document.RootElement, file);
            TrainingOptions options = fields.Deserialize(TrainingJsonContext.Default.TrainingOptions)! with { Settings = settings };
            options.Validate(file);
            return options;
        }
        catch (JsonException exception)
        {
            throw new InputException($"{file}: {FieldName(exception)}: {Reason(exception)}", exception);
        }
    }

    internal static TrainingOptions Parse(string json, string file) => Parse(Encoding.UTF8.GetBytes(json), file);

    /// <summary>Generated serializers give a field that is not there the default of its type, not that of the options.</summary>
    private static JsonObject WithDefaults(JsonElement given)
    {
        JsonObject all = JsonSerializer.SerializeToNode(new TrainingOptions(), TrainingJsonContext.Default.TrainingOptions)!.AsObject();
        foreach (JsonProperty field in given.EnumerateObject()) all[field.Name] = JsonNode.Parse(field.Value.GetRawText());
        return all;
    }

    /// <summary>Takes out the fields that are options of methods: those of this one are its settings.</summary>
    private static MethodSettings TakeSettings(JsonObject fields, JsonElement given, string file)
    {
        Preset preset = given.TryGetProperty("preset", out JsonElement word) && word.ValueEquals("reference") ? Preset.Reference : Preset.Paper;
        var settings = MethodSettings.Of(preset);
        string? name = fields["method"] is JsonValue value && value.TryGetValue(out string? text) ? text : null;
        if (name is null || MethodCatalog.Find(name) is not { } method) return settings;
        foreach (JsonProperty field in given.EnumerateObject())
        {
            if (!MethodCatalog.OptionNames.Contains(field.Name)) continue;
            fields.Remove(field.Name);
            if (field.Value.ValueKind == JsonValueKind.Null) continue;
            MethodOption option = method.Options.FirstOrDefault(option => option.Name == field.Name)
                ?? throw new InputException($"{file}: {field.Name} {UnusedOptions.WhyNotOf(method, field.Name)}");
            settings = settings.With(field.Name, option.Read(field.Value)
                ?? throw new InputException($"{file}: {field.Name}: the value cannot be used there; expected {option.Expected}"));
        }
        return settings;
    }

    /// <summary>"$.lora_rank" without the sign for the whole.</summary>
    private static string FieldName(JsonException exception)
    {
        string path = exception.Path is { Length: > 2 } found ? found[2..] : "the top";
        return InputText.Shorten(path);
    }

    /// <summary>What is wrong, in words of ours.</summary>
    internal static string Reason(JsonException exception) => exception.Message.Contains("could not be mapped", StringComparison.Ordinal)
        ? "there is no such field"
        : "the value cannot be used there";
}

/// <summary>An enumeration by the words of the command line: "constant-with-warmup".</summary>
internal sealed class WordConverter<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.KebabCaseLower, allowIntegerValues: false)
    where T : struct, Enum;

/// <summary>Serializers generated at build time; they need no reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true,
    WriteIndented = true,
    Converters =
    [
        typeof(WordConverter<TrainingStage>), typeof(WordConverter<Preset>), typeof(WordConverter<WeightPrecision>),
        typeof(WordConverter<GemmChoice>),
        typeof(WordConverter<ScheduleKind>), typeof(WordConverter<LossMean>), typeof(WordConverter<LabelScope>),
    ])]
[JsonSerializable(typeof(TrainingOptions))]
[JsonSerializable(typeof(CheckpointHeader))]
[JsonSerializable(typeof(AdapterRecord))]
[JsonSerializable(typeof(PlanRecord))]
[JsonSerializable(typeof(JsonObject))]
[JsonSerializable(typeof(int[]))]
[JsonSerializable(typeof(string))]
internal sealed partial class TrainingJsonContext : JsonSerializerContext;
