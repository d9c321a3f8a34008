using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>Reads and writes the files of an <see cref="Adapter"/> in the form of peft 0.5.</summary>
internal static class AdapterFiles
{
    private const string ConfigurationFileName = "adapter_config.json";
    private const string WeightsFileName = "adapter_model.safetensors";
    private const int MaximumRank = 1 << 16;

    /// <summary>Fields that ask for something other than plain LoRA on every layer, unless they are null, false, or empty.</summary>
    private static readonly string[] UnsupportedFields =
    [
        "use_rslora", "use_dora", "use_qalora", "modules_to_save", "rank_pattern", "alpha_pattern", "layers_to_transform",
        "layer_replication", "lora_bias", "exclude_modules", "trainable_token_indices", "target_parameters", "fan_in_fan_out",
    ];

    public static Adapter Load(string folder, ModelConfiguration model)
    {
        if (!Directory.Exists(folder)) throw new InputException($"{folder}: no such folder; expected a PEFT adapter");
        Settings settings = LoadSettings(Path.Combine(folder, ConfigurationFileName));
        string weights = Path.Combine(folder, WeightsFileName);
        if (!File.Exists(weights) && File.Exists(Path.ChangeExtension(weights, ".bin")))
            throw new InputException($"{folder}: has its weights as adapter_model.bin; expected {WeightsFileName}");
        using var stored = new StoredTensors(weights);
        stored.RequireFit(settings, model);

        // Only now, when the file is known to hold as much, is memory taken for it.
        var adapter = new Adapter(model, settings.Rank, settings.Alpha, settings.Dropout, settings.Targets)
        {
            BaseModel = settings.BaseModel,
        };
        foreach ((string name, float[] values, _) in Tensors(adapter)) stored.Read(name, values);
        return adapter;
    }

    public static void Save(Adapter adapter, string folder, Action<string>? addFiles) => AtomicFolder.Update(folder, temporary =>
    {
        addFiles?.Invoke(temporary);
        IEnumerable<TensorToWrite> tensors = Tensors(adapter).Select(static tensor => new TensorToWrite(
            tensor.Name,
            ElementType.Float32,
            tensor.Shape,
            (first, destination) => tensor.Values.AsSpan((int)first, destination.Length).CopyTo(destination)));
        SafetensorsWriter.Write(Path.Combine(temporary, WeightsFileName), [.. tensors]);
        AtomicFile.WriteAllText(Path.Combine(temporary, ConfigurationFileName), Configuration(adapter));
    });

    private static Settings LoadSettings(string file)
    {
        using JsonDocument document = JsonFile.ReadObject(file);
        var fields = new JsonFields(file, document.RootElement);
        string type = fields.Text("peft_type") ?? throw fields.Missing("peft_type", "LORA");
        if (type != "LORA") throw fields.Wrong("peft_type", InputText.Quote(type), "LORA");
        foreach (string name in UnsupportedFields)
        {
            if (fields.Find(name) is { } value && !IsUnset(value))
                throw fields.Wrong(name, value, "null or false: only plain LoRA is supported");
        }
        string bias = fields.Text("bias") ?? "none";
        if (bias != "none") throw fields.Wrong("bias", InputText.Quote(bias), "none");
        IReadOnlyList<string> targets = fields.Texts("target_modules") ?? throw fields.Missing("target_modules", "a list of projections");
        return new Settings(
            fields.WholeNumber("r", 1, MaximumRank),
            fields.Number("lora_alpha", static value => value > 0, "a positive number"),
            fields.Number("lora_dropout", static value => value is >= 0 and < 1, "a number from 0 and below 1", 0),
            Projections.Parse(targets, $"{file}: target_modules"),
            fields.Text("base_model_name_or_path"));
    }

    private static bool IsUnset(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.False => true,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        _ => false,
    };

    private static IEnumerable<(string Name, float[] Values, ImmutableArray<long> Shape)> Tensors(Adapter adapter)
    {
        for (int layer = 0; layer < adapter.LayerCount; layer++)
        {
            foreach (Projection target in adapter.Targets)
            {
                LoraMatrices matrices = adapter[layer, target];
                yield return (WeightNames.LoraA(layer, target), matrices.A, [matrices.Rank, matrices.Inputs]);
                yield return (WeightNames.LoraB(layer, target), matrices.B, [matrices.Outputs, matrices.Rank]);
            }
        }
    }

    private static string Configuration(Adapter adapter) => JsonText.Indented(new JsonObject
    {
        ["auto_mapping"] = null,
        ["base_model_name_or_path"] = adapter.BaseModel,
        ["bias"] = "none",
        ["fan_in_fan_out"] = false,
        ["inference_mode"] = true,
        ["init_lora_weights"] = true,
        ["layers_pattern"] = null,
        ["layers_to_transform"] = null,
        ["lora_alpha"] = JsonText.Number(adapter.Alpha),
        ["lora_dropout"] = JsonText.Float(adapter.Dropout),
        ["modules_to_save"] = null,
        ["peft_type"] = "LORA",
        ["r"] = adapter.Rank,
        ["revision"] = null,
        ["target_modules"] = new JsonArray([.. adapter.Targets.Select(static target => (JsonNode)target.HuggingFaceName())]),
        ["task_type"] = "CAUSAL_LM",
    });

    private sealed record Settings(int Rank, double Alpha, double Dropout, IReadOnlyList<Projection> Targets, string? BaseModel);

    /// <summary>The tensors of adapter_model.safetensors under the names that peft 0.5 gives them.</summary>
    private sealed class StoredTensors : IDisposable
    {
        private readonly SafetensorsReader reader;
        private readonly Dictionary<string, string> storedNames = new(StringComparer.Ordinal);

        public StoredTensors(string path)
        {
            reader = new SafetensorsReader(path);
            foreach (string stored in reader.Names)
            {
                // Some versions put the adapter's name into that of the tensor.
                string plain = stored.Replace(".default.weight", ".weight", StringComparison.Ordinal);
                if (storedNames.TryAdd(plain, stored)) continue;
                reader.Dispose();
                throw new InputException($"{path}: tensor {InputText.Quote(plain)} is there twice, with and without .default");
            }
        }

        /// <summary>Requires all matrices of the targets in all layers, of the right shape, and no others.</summary>
        public void RequireFit(Settings settings, ModelConfiguration model)
        {
            var expected = new HashSet<string>(StringComparer.Ordinal);
            for (int layer = 0; layer < model.LayerCount; layer++)
            {
                foreach (Projection target in settings.Targets)
                {
                    (int outputs, int inputs) = model.ProjectionShape(target);
                    RequireShape(WeightNames.LoraA(layer, target), [settings.Rank, inputs]);
                    RequireShape(WeightNames.LoraB(layer, target), [outputs, settings.Rank]);
                    expected.Add(WeightNames.LoraA(layer, target));
                    expected.Add(WeightNames.LoraB(layer, target));
                }
            }
            foreach ((string plain, string stored) in storedNames)
            {
                if (expected.Contains(plain)) continue;
                throw new InputException(FormattableString.Invariant(
                    $"{reader.Path}: tensor {InputText.Quote(stored)} is no LoRA matrix of target_modules in {model.LayerCount} layers"));
            }
        }

        public void Read(string name, Span<float> destination)
        {
            string stored = storedNames[name];
            reader.ReadFloat32(stored, destination);
            FiniteCheck.Require(destination, reader.Path, stored);
        }

        public void Dispose() => reader.Dispose();

        private void RequireShape(string name, ImmutableArray<long> shape)
        {
            string expected = TensorInfo.Describe(shape);
            if (!storedNames.TryGetValue(name, out string? stored))
                throw new InputException($"{reader.Path}: tensor '{name}' is missing; expected shape {expected}");
            TensorInfo info = reader.Info(stored);
            if (info.HasShape(shape)) return;
            string found = TensorInfo.Describe(info.Shape);
            throw new InputException($"{reader.Path}: tensor '{name}' has shape {found}; expected {expected} by r and the model");
        }
    }
}
