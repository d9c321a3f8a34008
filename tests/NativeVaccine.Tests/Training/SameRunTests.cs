using System.Text.Json.Nodes;
using NativeVaccine.Data;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Training;

/// <summary>A resumed run is the same run: what would change its numbers is named and refused before a step, the rest is free.</summary>
public sealed class SameRunTests : IDisposable
{
    private const int StopAfter = 2;
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("model/model.safetensors", "the model's weights")]
    [InlineData("model/config.json", "the model's configuration")]
    [InlineData("model/tokenizer_config.json", "the tokenizer")]
    [InlineData("model/chat_template.jinja", "the tokenizer")]
    [InlineData("data.jsonl", "the training data")]
    [InlineData("probe.jsonl", "the harmful data")]
    [InlineData("base/adapter_model.safetensors", "the merged adapters")]
    [InlineData("initial/adapter_model.safetensors", "the initial adapter")]
    public void AChangedFileIsNamedAndRefused(string file, string name)
    {
        Stop();
        string metrics = File.ReadAllText(folder.File("run", "metrics.jsonl"));
        Change(folder.File(file));

        string message = Assert.Throws<InputException>(() => Resume()).Message;

        Assert.Contains($"changed since the run began: {name}; expected the same run", message, StringComparison.Ordinal);
        Assert.Equal(metrics, File.ReadAllText(folder.File("run", "metrics.jsonl")));
    }

    /// <summary>As after a kill before the first one.</summary>
    [Theory]
    [InlineData("model/model.safetensors", "the model's weights")]
    [InlineData("data.jsonl", "the training data")]
    public void ARunWithoutACheckpointIsTheSameRunToo(string file, string name)
    {
        Stop();
        foreach (string checkpoint in Directory.GetFiles(folder.File("run", "checkpoints"), "*.checkpoint")) File.Delete(checkpoint);
        byte[] before = File.ReadAllBytes(folder.File(file));
        Change(folder.File(file));

        string message = Assert.Throws<InputException>(() => Resume()).Message;

        Assert.Contains($"beginning.json: changed since the run began: {name}; expected the same run", message, StringComparison.Ordinal);
        File.WriteAllBytes(folder.File(file), before);
        Resume();
    }

    [Theory]
    [InlineData("learning_rate", "0.5", "learning_rate (0.01, now 0.5)")]
    [InlineData("seed", "7", "seed (42, now 7)")]
    [InlineData("epochs", "3", "epochs (2, now 3)")]
    [InlineData("rho", "1", "rho (3, now 1)")]
    [InlineData("freeze_scope", "\"attention\"", "freeze_scope (layer, now attention)")]
    [InlineData("dropout", "0", "dropout (0.1, now 0)")]
    [InlineData("labels", "\"all\"", "labels (answers, now all)")]
    public void AChangedOptionIsNamedWithBothValues(string option, string value, string expected)
    {
        Stop();
        Set(option, value);

        Assert.Contains($"changed since the run began: {expected}; ", Assert.Throws<InputException>(() => Resume()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryOptionIsEitherFreeOrInTheFingerprint()
    {
        TrainingOptions options = SmallRun.OptionsFor("tvaccine");
        var data = new TrainingData(SmallRun.Samples("align"))
        {
            Pools = new Dictionary<SampleKind, SamplePool> { [SampleKind.Harmful] = new(SmallRun.Samples("harmful")) },
        };

        IEnumerable<string> parts = RunFingerprint.Of(options, data, new Dictionary<string, string>()).Keys;

        Assert.Equal(
            [
                "accumulate", "adam_epsilon", "backward_floor", "batch", "beta1", "beta2", "clip", "device", "dropout", "epochs", "freeze_scope",
                "full", "gemm", "labels", "layer_sampling", "layers", "learning_rate", "lora_alpha", "lora_rank", "lora_targets", "loss_mean", "max_length", "method",
                "perturb_samples", "perturb_site", "perturb_until", "precision", "probe_every", "resample_every", "rho", "same_masks", "schedule", "seed", "template", "the harmful data",
                "the program's revision", "the training data", "warmup_ratio", "weight_decay",
            ],
            parts);
    }

    [Fact]
    public void WhatChangesNoNumberIsFree()
    {
        using TrainingRun straight = TrainingRun.Create(Options, folder.File("straight"));
        straight.Execute();
        Stop();
        Set("threads", "1");
        Set("device_memory", "1000000000");
        File.AppendAllText(folder.File("data.jsonl"), "\n\n");
        var notices = new List<string>();

        string adapter = Resume(options => options with { CheckpointEvery = 1 }, notices);

        Assert.Equal(["the run goes on with step 3 of 8, from the checkpoint after step 2"], notices);
        Assert.Equal(
            File.ReadAllBytes(folder.File("straight", "adapter", "adapter_model.safetensors")),
            File.ReadAllBytes(Path.Combine(adapter, "adapter_model.safetensors")));
    }

    [Fact]
    public void FieldsOfTheModelThatChangeNoNumberAreFree()
    {
        Stop();
        string file = folder.File("model", "config.json");
        JsonObject json = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        foreach ((string name, JsonNode? value) in new (string, JsonNode?)[]
        {
            ("use_cache", false), ("transformers_version", "5.23.0"), ("_name_or_path", "elsewhere"), ("torch_dtype", "bfloat16"),
            ("max_position_embeddings", 4096), ("pad_token_id", 0), ("initializer_range", 0.5), ("hidden_act", "swish"),
        }) json[name] = value;
        File.WriteAllText(file, new JsonObject(json.Reverse().Select(static field => KeyValuePair.Create(field.Key, field.Value?.DeepClone()))).ToJsonString());

        Resume();
    }

    /// <summary>Every number that the engine is given of a model.</summary>
    [Fact]
    public void WhatTheModelComputesWithIsInTheFingerprint()
    {
        ModelConfiguration model = ModelConfiguration.Load(Fixtures.Path("tiny-gqa"));
        ModelConfiguration mistral = ModelConfiguration.Load(Fixtures.Path("tiny-mistral"));
        ModelConfiguration gemma = ModelConfiguration.Load(Fixtures.Path("tiny-gemma3"));
        ModelConfiguration gemma2 = ModelConfiguration.Load(Fixtures.Path("tiny-gemma2"));
        ModelConfiguration[] all =
        [
            model, mistral,
            model with { VocabularySize = 9 }, model with { HiddenSize = 8 }, model with { IntermediateSize = 9 }, model with { LayerCount = 1 },
            model with { HeadCount = 2 }, model with { KeyValueHeadCount = 1 }, model with { HeadSize = 2 }, model with { RmsNormEpsilon = 1e-3 },
            model with { RopeTheta = 7 }, model with { RopeScaling = RopeScaling.None }, model with { RopeScaling = model.RopeScaling with { Factor = 9 } },
            model with { RopeScaling = model.RopeScaling with { LowFrequencyFactor = 2 } },
            model with { RopeScaling = model.RopeScaling with { HighFrequencyFactor = 9 } },
            model with { RopeScaling = model.RopeScaling with { OriginalMaximumPositions = 9 } },
            model with { RopeScaling = new RopeScaling(RopeScalingKind.Linear, 8) },
            mistral with { SlidingWindow = 77 }, model with { TieWordEmbeddings = !model.TieWordEmbeddings },
            model with { QueryKeyValueBias = true, OutputBias = true }, model with { MlpBias = true },
            model with { Activation = Activation.GeluTanh }, mistral with { WindowedLayers = [true, false, true] },
            mistral with { WindowedLayers = [false, true, true] }, model with { Family = ModelFamily.Qwen3 }, gemma, gemma with { QueryScalar = 7 },
            gemma with { LogitCap = 3 }, gemma with { LocalRope = gemma.LocalRope! with { Theta = 7 } },
            gemma with { LocalRope = gemma.LocalRope with { Scaling = new RopeScaling(RopeScalingKind.Linear, 8) } },
            gemma2, gemma2 with { AttentionCap = 3 },
        ];
        Assert.Equal(all.Length, all.Select(RunFingerprint.Hash).Distinct().Count());
    }

    [Fact]
    public void WeightsAreHashedOnceHoweverTheyAreRead()
    {
        using ModelFolder model = ModelFolder.Open(Fixtures.Path("micro-llama"));
        (HashedWeights whole, HashedWeights pieces) = (new HashedWeights(model), new HashedWeights(model));
        foreach (ExpectedWeight weight in ExpectedWeight.Of(model.Configuration)) whole.ReadFloat32(weight.Name, new float[weight.ElementCount]);
        foreach (ExpectedWeight weight in ExpectedWeight.Of(model.Configuration).Reverse())
        {
            int half = (int)weight.ElementCount / 2;
            pieces.ReadFloat32(weight.Name, new float[half]);
            pieces.ReadFloat32(weight.Name, new float[half]); // again
            pieces.ReadFloat32(weight.Name, new float[weight.ElementCount - half], half);
        }

        Assert.Equal(whole.Hash(), pieces.Hash());
        Assert.NotEqual(new HashedWeights(model).Hash(), whole.Hash());
    }

    /// <summary>Everything that a run can be made from, in files of its own.</summary>
    private TrainingOptions Options => SmallRun.OptionsFor("tvaccine").With("harmful_data", folder.File("probe.jsonl")) with
    {
        Model = folder.File("model"),
        Data = folder.File("data.jsonl"),
        Adapter = [folder.File("base")],
        InitAdapter = folder.File("initial"),
    };

    /// <summary>Runs a few steps and is stopped there, with a checkpoint.</summary>
    private void Stop()
    {
        using var cancellation = new CancellationTokenSource();
        using TrainingRun run = TrainingRun.Create(Options, folder.File("run"));
        run.StepDone = (metrics, _) =>
        {
            if (metrics.Step + 1 == StopAfter) cancellation.Cancel();
        };
        Assert.Throws<OperationCanceledException>(() => run.Execute(cancellation.Token));
    }

    private string Resume(Func<TrainingOptions, TrainingOptions>? change = null, List<string>? notices = null)
    {
        using TrainingRun run = TrainingRun.Resume(folder.File("run"), change);
        run.Notice = line => notices?.Add(line);
        return run.Execute();
    }

    public SameRunTests()
    {
        foreach (string name in new[] { "model", "base", "initial" }) Directory.CreateDirectory(folder.File(name));
        foreach (string file in Directory.GetFiles(Fixtures.Path("micro-llama"))) Copy(file, folder.File("model", Path.GetFileName(file)));
        File.WriteAllText(folder.File("model", "tokenizer_config.json"), File.ReadAllText(Fixtures.Path("micro-llama", "tokenizer_config.json")));
        File.WriteAllText(folder.File("model", "chat_template.jinja"), "{{ messages }}");
        foreach (string file in Directory.GetFiles(Fixtures.Path("traces", "tvaccine-micro", "initial")))
        {
            Copy(file, folder.File("base", Path.GetFileName(file)));
            Copy(file, folder.File("initial", Path.GetFileName(file)));
        }
        string[] lines = File.ReadAllLines(SmallRun.SampleFile);
        File.WriteAllLines(folder.File("data.jsonl"), lines.Where(static line => line.Contains("\"align\"", StringComparison.Ordinal)));
        File.WriteAllLines(folder.File("probe.jsonl"), lines.Where(static line => line.Contains("\"harmful\"", StringComparison.Ordinal)));
    }

    /// <summary>Fixtures may be read-only.</summary>
    private static void Copy(string from, string to) => File.WriteAllBytes(to, File.ReadAllBytes(from));

    private void Set(string option, string value)
    {
        string file = folder.File("run", "config.json");
        JsonNode json = JsonNode.Parse(File.ReadAllText(file))!;
        json[option] = JsonNode.Parse(value);
        File.WriteAllText(file, json.ToJsonString());
    }

    /// <summary>A bit of the last number of a tensor, a field's value, the tokens of the last record.</summary>
    private static void Change(string file)
    {
        switch (Path.GetFileName(file))
        {
            case "config.json":
                Replace(file, "rms_norm_eps", 1e-4);
                break;
            case "tokenizer_config.json":
                Replace(file, "model_max_length", 77);
                break;
            case var name when name.EndsWith(".jsonl", StringComparison.Ordinal):
                string[] lines = File.ReadAllLines(file);
                File.WriteAllLines(file, [.. lines[..^1], lines[0]]);
                break;
            default:
                byte[] bytes = File.ReadAllBytes(file);
                bytes[^4] ^= 1;
                File.WriteAllBytes(file, bytes);
                break;
        }
    }

    private static void Replace(string file, string field, JsonNode value)
    {
        JsonNode json = JsonNode.Parse(File.ReadAllText(file))!;
        json[field] = value;
        File.WriteAllText(file, json.ToJsonString());
    }
}
