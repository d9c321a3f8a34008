using System.Text.Json;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tests.TorchReference;

namespace NativeVaccine.Tests.Engine;

/// <summary>The forms of adapter that peft 0.21.2 writes: what peft computes after loading them, or a refusal by name.</summary>
public sealed class AdapterFormTests
{
    [Theory]
    [InlineData("all-linear", 56)]
    [InlineData("embeddings-saved", 8)]
    [InlineData("excluded", 14)]
    [InlineData("full-paths", 2)]
    [InlineData("layers", 4)]
    [InlineData("monteclora", 16)]
    [InlineData("orthogonal", 16)]
    [InlineData("patterns", 24)]
    [InlineData("patterns-order", 16)]
    [InlineData("pissa", 24)]
    [InlineData("pissa-converted", 24)]
    [InlineData("regex", 6)]
    [InlineData("rslora", 24)]
    [InlineData("velora", 16)]
    public void A_form_gives_the_numbers_of_peft(string form, int modules)
    {
        using ModelFolder fresh = ModelFolder.Open(Fixtures.Path("tiny-llama"));
        Adapter adapter = Adapter.Load(Fixtures.Path("adapters", form), fresh);
        Assert.Equal(modules, adapter.Modules.Count);
        Assert.Empty(adapter.Notices);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("adapters", form, "expected.json")));
        JsonElement expected = document.RootElement;
        int[] ids = [.. expected.GetProperty("input_ids").EnumerateArray().Select(static id => id.GetInt32())];

        using var model = new FixtureSession("tiny-llama", merged: [adapter]);
        PassResult result = model.Session.Forward(new Batch([new Sample(ids, ids)]));

        Near.Equal("loss", expected.GetProperty("loss").GetDouble(), result.MeanLoss, 0, 1e-5);
        float[] logits = [.. expected.GetProperty("last_logits").EnumerateArray().Select(static value => value.GetSingle())];
        Near.Equal("logits", logits, FixtureSession.Doubles(model.Logits(ids.Length - 1, 1)), 1e-4, 1e-4);
    }

    [Theory]
    [InlineData("dora", "use_dora is true", "DoRA", "merge_and_unload")]
    [InlineData("embedding-lora", "target_modules", "and not model.embed_tokens", "merge_and_unload")]
    [InlineData("head-saved", "modules_to_save is [\"lm_head\"]", "whole modules", "merge_and_unload")]
    [InlineData("kasa", "kasa_config is {\"beta\":0.0001,\"gamma\":0.001}", "KaSA", "merge_and_unload")]
    [InlineData("olora", "init_lora_weights is \"olora\"", "path_initial_model_for_weight_conversion", "merge_and_unload")]
    [InlineData("pissa-niter", "init_lora_weights is \"pissa_niter_4\"", "path_initial_model_for_weight_conversion", "not even peft")]
    [InlineData("replicated", "layer_replication is [[0,3],[1,8]]", "deeper model", "merge_and_unload")]
    [InlineData("trainable-tokens", "trainable_token_indices is [5,9]", "rows of the embedding", "merge_and_unload")]
    public void A_form_that_is_more_than_lora_is_refused_by_name(string form, params string[] expected)
    {
        using ModelFolder model = ModelFolder.Open(Fixtures.Path("tiny-llama"));
        Refusal.Of(() => Adapter.Load(Fixtures.Path("adapters", form), model), [Fixtures.Path("adapters", form), .. expected]);
    }

    [Theory]
    [InlineData("patterns", "its modules have ranks from 2 to 6 (rank_pattern)")]
    [InlineData("patterns-order", "its modules have alphas from 3 to 20 (alpha_pattern)")]
    [InlineData("layers", "it has 4 modules of 16")]
    public void Training_goes_on_only_with_the_same_form_in_every_layer(string form, string expected)
    {
        Adapter adapter = Adapter.Load(Fixtures.Path("adapters", form), ModelConfiguration.Load(Fixtures.Path("tiny-llama")));
        Refusal.Of(() => adapter.RequireUniform("--init-adapter DIR"), "--init-adapter DIR: ", expected);
    }
}
