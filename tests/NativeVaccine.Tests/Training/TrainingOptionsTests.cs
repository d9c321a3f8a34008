using System.Text;
using NativeVaccine.Methods;
using NativeVaccine.Tests.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Training;

public sealed class TrainingOptionsTests
{
    [Fact]
    public void ThePaperIsTheDefault()
    {
        TrainingOptions options = TrainingDefaults.For(TrainingStage.Align, "tvaccine", default);

        Assert.Equal(Preset.Paper, options.Preset);
        Assert.Equal("layer", Setting(options, "freeze_scope"));
        Assert.Equal("chosen", Setting(options, "backward_floor"));
        Assert.Equal(4, options.LoraAlpha);
        Assert.Equal(["3", "8", "20", "200"], new[] { "rho", "layers", "resample_every", "probe_every" }.Select(name => Setting(options, name)));
        Assert.Equal((1e-3, 20, 10), (options.LearningRate, options.Epochs, options.Batch));
        Assert.Equal((0.1, 0.1, 1), (options.WeightDecay, options.WarmupRatio, options.Clip));
        Assert.Equal("false", Setting(options, "same_masks"));
    }

    [Fact]
    public void ABatchOfMoreTokensThan31BitsCountIsRefused()
    {
        TrainingOptions options = TrainingDefaults.For(TrainingStage.Align, "sft", default) with { Batch = 100_000, MaxLength = 100_000 };

        Refusal.Of(() => TrainingPlan.For(options, MethodCatalog.Create(options), TestDevice.Types), "10000000000 tokens", "16777216");
    }

    [Fact]
    public void TheReferencePresetIsWhatTheAuthorsCodeDoes()
    {
        TrainingOptions options = TrainingDefaults.For(TrainingStage.Align, "tvaccine", Preset.Reference);

        Assert.Equal("attention", Setting(options, "freeze_scope"));
        Assert.Equal("neighbours", Setting(options, "backward_floor"));
        Assert.Equal(1, options.LoraAlpha);
    }

    [Fact]
    public void FineTuningHasAnAlphaOfItsOwn()
    {
        foreach (Preset preset in Enum.GetValues<Preset>())
        {
            TrainingOptions options = TrainingDefaults.For(TrainingStage.Finetune, "sft", preset);
            Assert.Equal(1, options.LoraAlpha);
            Assert.Equal(1e-5, options.LearningRate);
        }
    }

    [Fact]
    public void VaccineHasARhoOfItsOwn() =>
        Assert.Equal("2", Setting(TrainingDefaults.For(TrainingStage.Align, "vaccine", Preset.Paper), "rho"));

    [Fact]
    public void BoosterIsThePapersOrTheProgramsByItsPreset()
    {
        TrainingOptions paper = TrainingDefaults.For(TrainingStage.Align, "booster", Preset.Paper);
        TrainingOptions reference = TrainingDefaults.For(TrainingStage.Align, "booster", Preset.Reference);
        Assert.Equal(["0.1", "5", "0", "copy"], Settings(paper));
        Assert.Equal(["0.1", "5", "10", "add-back"], Settings(reference));

        static string[] Settings(TrainingOptions options) =>
            [.. new[] { "inner_step", "lambda", "harmful_batch", "restore" }.Select(name => Setting(options, name))];
    }

    [Theory]
    [InlineData("random-vaccine", "the authors published no program for it")]
    [InlineData("tar-lite", "the result of the authors' program never reaches its optimizer, which makes it plain sft")]
    [InlineData("tar", "the authors' program is for its own mixtures of data, in two stages over all parameters")]
    public void AMethodWithoutAProgramToFollowHasNoReferencePreset(string method, string why) => Refusal.Of(
        () => TrainingDefaults.For(TrainingStage.Align, method, Preset.Reference),
        $"method {method} has no preset reference: {why}; expected --preset paper");

    [Fact]
    public void OptionsOfOneNameAreOfOneKind()
    {
        foreach (IGrouping<string, MethodOption> same in MethodCatalog.All.SelectMany(static method => method.Options).GroupBy(static option => option.Name))
            Assert.Single(same.Select(static option => (option.GetType(), option.ValueName)).Distinct());
    }

    [Theory]
    [InlineData("{\"method\": \"vaccine\", \"rho\": -1}", "config.json: rho is -1; expected a number, at least 0")]
    [InlineData("{\"method\": \"tvaccine\", \"layers\": 0}", "config.json: layers is 0; expected a whole number, at least 1")]
    [InlineData("{\"method\": \"vaccine\", \"rho\": \"2\"}", "config.json: rho: the value cannot be used there; expected a number, at least 0")]
    [InlineData("{\"method\": \"tvaccine\", \"freeze_scope\": \"all\"}", "config.json: freeze_scope: the value cannot be used there; expected one of layer, attention")]
    [InlineData("{\"method\": \"sft\", \"rho\": 2}", "config.json: rho is not used by sft; ")]
    public void SettingsOfAMethodAreChecked(string json, string expected) => Refusal.Of(() => TrainingOptionsJson.Parse(json, "config.json"), expected);

    private static string Setting(TrainingOptions options, string name) =>
        options.Settings.Find(MethodCatalog.Find(options.Method)!.Options.Single(option => option.Name == name)) is { } value
            ? MethodCatalog.Find(options.Method)!.Options.Single(option => option.Name == name).Write(value).ToString()
            : "";

    [Fact]
    public void JsonKeepsEveryValue()
    {
        TrainingOptions options = TrainingDefaults.For(TrainingStage.Finetune, "random-vaccine", Preset.Paper)
            .With("noise_size", NoiseSize.Norm) with
        {
            Model = "m \"é\"",
            Adapter = ["a", "b"],
            Data = "d.jsonl#align",
            Template = "none",
            Schedule = ScheduleKind.ConstantWithWarmup,
            LearningRate = 0.1 + 0.2,
            Seed = ulong.MaxValue,
            LoraTargets = ["q_proj"],
            Precision = WeightPrecision.Bf16,
            DeviceMemory = 24L << 30,
            Replay = "r",
        };

        string json = TrainingOptionsJson.Write(options);

        Assert.Equal(json, TrainingOptionsJson.Write(TrainingOptionsJson.Parse(json, "config.json")));
        Assert.Contains("\"schedule\": \"constant-with-warmup\"", json, StringComparison.Ordinal);
        Assert.Contains("\"lora_rank\": 8", json, StringComparison.Ordinal);
        Assert.Contains("é", json, StringComparison.Ordinal);
        TrainingOptions read = TrainingOptionsJson.Parse(json, "config.json");
        Assert.Equal(options.LearningRate, read.LearningRate);
        Assert.Equal(options.Seed, read.Seed);
        Assert.Equal(options.Adapter, read.Adapter);
    }

    [Theory]
    [InlineData("sft", "")]
    [InlineData("vaccine", "rho same_masks perturb_site perturb_until perturb_samples")]
    [InlineData("tvaccine", "rho layers resample_every probe_every layer_sampling harmful_data freeze_scope backward_floor same_masks perturb_site perturb_until perturb_samples")]
    [InlineData("random-vaccine", "rho noise_size perturb_site perturb_until perturb_samples")]
    [InlineData("booster", "inner_step lambda harmful_data harmful_batch restore")]
    [InlineData("tar-lite", "inner_learning_rate tamper_weight harmful_data")]
    [InlineData("tar", "inner_steps inner_optimizer inner_learning_rate tamper_weight tamper_gradient_every tamper_decay retain_weight harmful_data")]
    public void AConfigurationHoldsOnlyWhatItsMethodUses(string method, string used)
    {
        TrainingOptions options = TrainingDefaults.For(TrainingStage.Align, method, Preset.Paper).With("harmful_data", "p");

        using var json = System.Text.Json.JsonDocument.Parse(TrainingOptionsJson.Write(options));

        Assert.Equal(
            used.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(),
            json.RootElement.EnumerateObject().Select(static field => field.Name).Intersect(MethodCatalog.OptionNames).Order());
    }

    [Fact]
    public void WhatFullTrainingAndAConstantScheduleDoNotUseIsLeftOut()
    {
        string json = TrainingOptionsJson.Write(new TrainingOptions { Full = true, Schedule = ScheduleKind.Constant });

        foreach (string name in new[] { "lora_rank", "lora_alpha", "lora_targets", "dropout", "init_adapter", "warmup_ratio" })
            Assert.DoesNotContain($"\"{name}\"", json, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"lorarank\": 8}", "config.json: lorarank: there is no such field")]
    [InlineData("{\"lora_rank\": \"eight\"}", "config.json: lora_rank: the value cannot be used there")]
    [InlineData("{\"schedule\": \"cosinus\"}", "config.json: schedule: the value cannot be used there")]
    [InlineData("{\"schedule\": 1}", "config.json: schedule: the value cannot be used there")]
    [InlineData("{\"lora_targets\": [\"q_proj\", 3]}", "config.json: lora_targets[1]: the value cannot be used there")]
    [InlineData("{\"lora_targets\": [null]}", "config.json: a list has null in it; expected adapter and lora_targets to be lists of texts")]
    [InlineData("{\"adapter\": [null]}", "config.json: a list has null in it; expected adapter and lora_targets to be lists of texts")]
    [InlineData("{\"method\": null}", "config.json: method: the value cannot be used there")]
    [InlineData("{\"batch\": 0}", "config.json: batch is 0; expected at least 1")]
    [InlineData("{\"lora_alpha\": 1e-50}", "config.json: lora_alpha is 1E-50; expected a positive number of fp32, at most 1048576")]
    [InlineData("{\"dropout\": 1}", "config.json: dropout is 1; expected a number from 0 and below 1")]
    [InlineData("{\"learning_rate\": -0.5}", "config.json: learning_rate is -0.5; expected a number, at least 0")]
    [InlineData("{\"full\": true, \"init_adapter\": \"a\"}", "config.json: init_adapter is given and full is true; expected ")]
    [InlineData("{\"stage\": \"finetune\", \"track_drift\": true}", "config.json: tamper_every, tamper_rules or track_drift is given without tamper_prompts; expected ")]
    [InlineData("{\"stage\": \"align\", \"tamper_prompts\": \"p\"}", "config.json: tamper_prompts is given and stage is align; expected stage finetune")]
    [InlineData("{\"stage\": \"finetune\", \"tamper_prompts\": \"p\", \"tamper_new_tokens\": 0}", "config.json: tamper_new_tokens is 0; expected at least 1")]
    [InlineData("{\"seed\": 1,\n\"seed\": 2}", "config.json: broken JSON: Duplicate property ")]
    [InlineData("{\"seed\": 1,\n\"batch\" 2}", "config.json:2: broken JSON: ")]
    public void WhatCannotBeUsedIsRefusedInALine(string json, string message)
    {
        InputException exception = Assert.Throws<InputException>(() => TrainingOptionsJson.Parse(json, "config.json"));

        Assert.StartsWith(message, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
    }

    [Fact]
    public void WhatAFileDoesNotNameHasItsDefault()
    {
        TrainingOptions options = TrainingOptionsJson.Parse("{\"batch\": 3}", "config.json");

        Assert.Equal(TrainingOptionsJson.Write(new TrainingOptions { Batch = 3 }), TrainingOptionsJson.Write(options));
    }

    [Fact]
    public void SeededByteMutationsAreReadOrRefused() => Mutation.Run(
        Encoding.UTF8.GetBytes(TrainingOptionsJson.Write(TrainingDefaults.For(TrainingStage.Align, "tvaccine", Preset.Paper))),
        10_000,
        seed: 1,
        static damaged => TrainingOptionsJson.Parse(damaged, "config.json"));

    [Fact]
    public void AMethodThatDoesNotExistIsRefused()
    {
        InputException exception = Assert.Throws<InputException>(() => MethodCatalog.Create(new TrainingOptions { Method = "vacine" }));

        Assert.Equal($"method 'vacine' is unknown; expected one of {string.Join(", ", MethodCatalog.Names)}", exception.Message);
    }
}
