using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.IO;
using NativeVaccine.Numerics;

namespace NativeVaccine.Models;

/// <summary>
/// Reads the files of an <see cref="Adapter"/> as peft 0.5 to 0.21 writes them, and writes them in the form of peft 0.5.
/// </summary>
internal static class AdapterFiles
{
    private const string ConfigurationFileName = "adapter_config.json";
    private const string WeightsFileName = "adapter_model.safetensors";

    /// <param name="folder">The adapter.</param>
    /// <param name="model">The model that it must fit.</param>
    /// <param name="weights">The model's weights, with which those beside the adapter are compared; null if they are not at hand.</param>
    /// <param name="under">The adapters that are merged before this one; null if the weights are not at hand.</param>
    public static Adapter Load(string folder, ModelConfiguration model, IWeightSource? weights, IReadOnlyList<Adapter>? under)
    {
        InputFile.RequireFolder(folder, "a PEFT adapter");
        Settings settings = LoadSettings(Path.Combine(folder, ConfigurationFileName), model);
        string file = Path.Combine(folder, WeightsFileName);
        string pickle = Path.ChangeExtension(file, TorchFile.Extension);
        if (!File.Exists(file) && File.Exists(pickle)) file = pickle;
        using var stored = new AdapterTensors(file);
        foreach (AdapterTarget target in settings.Targets) stored.RequireMatrices(target, model);
        IReadOnlyList<string> ignored = stored.RequireNothingElse(model, weights);

        // Only now, when the file is known to hold as much, is memory taken for it.
        (List<AdapterModule> modules, bool sharesA) = FusedLora.Split(Read(stored, settings.Targets, model), model);
        string unused =
            FormattableString.Invariant($"{file}: tensors that are not used, as in peft: {ignored.Count} ({InputText.Some(ignored)})");
        var adapter = new Adapter(model, settings.Dropout, modules)
        {
            SharesA = sharesA,
            BaseModel = settings.BaseModel,
            Source = folder,
            Notices = ignored.Count == 0 ? settings.Notices : [.. settings.Notices, unused],
        };
        if (!settings.IsPissa) return adapter;
        return Pissa.ToPlain(adapter, under is null ? null : new MergedWeights(weights!, under));
    }

    public static void Save(Adapter adapter, string folder, Action<string>? addFiles)
    {
        UniformLora form = adapter.RequireUniform(folder);
        AtomicFolder.Update(folder, temporary =>
        {
            addFiles?.Invoke(temporary);
            IEnumerable<TensorToWrite> tensors = Tensors(adapter).Select(static tensor => new TensorToWrite(
                tensor.Name,
                ElementType.Float32,
                tensor.Shape,
                (first, destination) => tensor.Values.AsSpan((int)first, destination.Length).CopyTo(destination)));
            SafetensorsWriter.Write(Path.Combine(temporary, WeightsFileName), [.. tensors]);
            AtomicFile.WriteAllText(Path.Combine(temporary, ConfigurationFileName), Configuration(adapter, form));
        });
    }

    private static Settings LoadSettings(string file, ModelConfiguration model)
    {
        using JsonDocument document = JsonFile.ReadObject(file);
        var fields = new JsonFields(file, document.RootElement);
        bool isPissa = AdapterFields.RequireLora(fields);
        var notices = new List<string>();
        List<AdapterTarget> targets = AdapterTargets.Resolve(fields, model, notices.Add);
        if (isPissa && targets.Find(static target => target.Module.IsFused).Module is { } fused)
        {
            throw fields.Wrong(
                "init_lora_weights",
                "\"pissa\"",
                $"no PiSSA on {fused.Name}: it takes singular parts of a matrix that holds {fused.PartNames}, which are apart in this program; "
                    + AdapterFields.Merge);
        }
        return new Settings(
            targets,
            fields.Number("lora_dropout", static value => value is >= 0 and < 1, "a number from 0 and below 1", 0),
            fields.Text("base_model_name_or_path"),
            isPissa,
            notices);
    }

    private static (AdapterTarget Target, LoraMatrices Matrices)[] Read(
        AdapterTensors stored, List<AdapterTarget> targets, ModelConfiguration model)
    {
        var modules = new (AdapterTarget Target, LoraMatrices Matrices)[targets.Count];
        Workers.ForEach(Enumerable.Range(0, targets.Count), i =>
        {
            (int outputs, int inputs) = model.ModuleShape(targets[i].Module);
            var matrices = new LoraMatrices(targets[i].Rank, outputs, inputs);
            stored.Read(WeightNames.LoraA(targets[i].Path), matrices.A);
            stored.Read(WeightNames.LoraB(targets[i].Path), matrices.B);
            modules[i] = (targets[i], matrices);
        });
        return modules;
    }

    private static IEnumerable<(string Name, float[] Values, ImmutableArray<long> Shape)> Tensors(Adapter adapter)
    {
        ModelFamily family = adapter.Model.Family;
        int blocks = FusedLora.Blocks(adapter.Modules.Select(module => family.ModuleOf(module.Projection)));
        foreach (var group in adapter.Modules.GroupBy(module => (module.Layer, Module: family.ModuleOf(module.Projection))))
        {
            LoraMatrices matrices = FusedLora.Join(
                group.Key.Module, group.ToDictionary(static part => part.Projection, static part => part.Matrices), blocks, adapter.Model);
            string path = WeightNames.Module(group.Key.Layer, group.Key.Module);
            yield return (WeightNames.LoraA(path), matrices.A, [matrices.Rank, matrices.Inputs]);
            yield return (WeightNames.LoraB(path), matrices.B, [matrices.Outputs, matrices.Rank]);
        }
    }

    private static string Configuration(Adapter adapter, UniformLora form)
    {
        LinearModule[] modules = [.. form.Targets.Select(adapter.Model.Family.ModuleOf).Distinct()];
        int blocks = FusedLora.Blocks(modules);
        var json = new JsonObject
        {
            ["auto_mapping"] = null,
            ["base_model_name_or_path"] = adapter.BaseModel,
            ["bias"] = "none",
            ["fan_in_fan_out"] = false,
            ["inference_mode"] = true,
            ["init_lora_weights"] = true,
            ["layers_pattern"] = null,
            ["layers_to_transform"] = null,
            ["lora_alpha"] = JsonText.Number(blocks * form.Alpha),
            ["lora_dropout"] = JsonText.Float(adapter.Dropout),
            ["modules_to_save"] = null,
            ["peft_type"] = "LORA",
            ["r"] = blocks * form.Rank,
            ["revision"] = null,
            ["target_modules"] = new JsonArray([.. modules.Select(static module => (JsonNode)module.Name)]),
            ["task_type"] = "CAUSAL_LM",
        };
        if (blocks == 1) return JsonText.Indented(json);
        // Changes nothing; see FusedLora.IsOurs.
        json["rank_pattern"] = new JsonObject(modules.Where(static module => module.IsFused)
            .Select(module => KeyValuePair.Create<string, JsonNode?>(module.Name, blocks * form.Rank)));
        return JsonText.Indented(json);
    }

    private sealed record Settings(List<AdapterTarget> Targets, double Dropout, string? BaseModel, bool IsPissa, IReadOnlyList<string> Notices);
}
