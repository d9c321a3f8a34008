using NativeVaccine.Models;

namespace NativeVaccine.Tests.Models;

public sealed class GenerationConfigurationTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>generation_config.json's end tokens alone count, also where it names none; without the file config.json's do.</summary>
    [Theory]
    [InlineData(null, new[] { 2 }, false)]
    [InlineData("{\"eos_token_id\": 7}", new[] { 7 }, false)]
    [InlineData("{\"eos_token_id\": [7, 2]}", new[] { 7, 2 }, false)]
    [InlineData("{\"eos_token_id\": null}", new int[0], true)]
    [InlineData("{}", new int[0], true)]
    public void EndTokensComeFromOneFile(string? json, int[] expected, bool notes)
    {
        GenerationConfiguration found = Read(json);
        Assert.Equal(expected, found.EndIds);
        Assert.Equal(notes ? 1 : 0, found.Notices.Count);
        if (notes) Assert.Contains("no eos_token_id", found.Notices[0], StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsAppliedIsRead()
    {
        GenerationConfiguration found = Read("""{"eos_token_id": 2, "repetition_penalty": 1.05, "top_k": 20, "top_p": 0.8, "temperature": 0.7, "do_sample": true}""");
        Assert.Equal((1.05, 20, 0.8), (found.RepetitionPenalty, found.TopK, found.TopP));
        Assert.Empty(found.Notices);
        Assert.Equal((1, null, null), (Read("{\"eos_token_id\": 2}").RepetitionPenalty, Read(null).TopK, Read(null).TopP));
    }

    [Theory]
    [InlineData("\"suppress_tokens\": [5]", "suppress_tokens [5]")]
    [InlineData("\"begin_suppress_tokens\": [5]", "begin_suppress_tokens")]
    [InlineData("\"bad_words_ids\": [[5]]", "bad_words_ids")]
    [InlineData("\"min_new_tokens\": 4", "min_new_tokens 4")]
    [InlineData("\"min_length\": 4", "min_length 4")]
    [InlineData("\"no_repeat_ngram_size\": 3", "no_repeat_ngram_size 3")]
    [InlineData("\"encoder_repetition_penalty\": 1.2", "encoder_repetition_penalty")]
    [InlineData("\"encoder_no_repeat_ngram_size\": 2", "encoder_no_repeat_ngram_size")]
    [InlineData("\"forced_bos_token_id\": 0", "forced_bos_token_id")]
    [InlineData("\"forced_eos_token_id\": 2", "forced_eos_token_id")]
    [InlineData("\"sequence_bias\": [[[5], -1.0]]", "sequence_bias")]
    [InlineData("\"num_beams\": 4", "num_beams 4")]
    [InlineData("\"penalty_alpha\": 0.6", "penalty_alpha")]
    [InlineData("\"dola_layers\": \"low\"", "dola_layers")]
    [InlineData("\"guidance_scale\": 1.5", "guidance_scale")]
    [InlineData("\"stop_strings\": \"x\"", "stop_strings")]
    [InlineData("\"exponential_decay_length_penalty\": [5, 1.1]", "exponential_decay_length_penalty")]
    [InlineData("\"suppress_tokens\": null", null)]
    [InlineData("\"suppress_tokens\": []", null)]
    [InlineData("\"num_beams\": 1, \"min_length\": 0, \"no_repeat_ngram_size\": 0, \"encoder_repetition_penalty\": 1.0", null)]
    [InlineData("\"guidance_scale\": null, \"token_healing\": false, \"penalty_alpha\": 0.0", null)]
    [InlineData("\"max_length\": 20, \"length_penalty\": 2.0, \"use_cache\": false, \"temperature\": 0.1, \"pad_token_id\": 0", null)]
    public void WhatChangesGreedyDecodingAndIsNotAppliedIsNamed(string field, string? expected)
    {
        IReadOnlyList<string> notices = Read($"{{\"eos_token_id\": 2, {field}}}").Notices;
        Assert.Equal(expected is null ? 0 : 1, notices.Count);
        if (expected is null) return;
        Assert.Contains(expected, notices[0], StringComparison.Ordinal);
        Assert.Contains("is not applied here", notices[0], StringComparison.Ordinal);
    }

    [Fact]
    public void FieldsForDrawsAreNamedApartAndUnknownOnesByName()
    {
        GenerationConfiguration found = Read("""{"eos_token_id": 2, "min_p": 0.1, "typical_p": 1.0, "brand_new": 3, "another": "x"}""");
        Assert.Contains("min_p 0.1", Assert.Single(found.NoticesOnDraws), StringComparison.Ordinal);
        Assert.Contains("brand_new, another (each of these 2) is unknown here", Assert.Single(found.Notices), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[]", "expected a JSON object")]
    [InlineData("{\"eos_token_id\": \"x\"}", "eos_token_id")]
    [InlineData("{\"repetition_penalty\": 0}", "repetition_penalty is 0; expected a number above 0")]
    [InlineData("{\"top_p\": 2}", "top_p is 2")]
    public void BrokenFilesAreRefused(string json, string expected)
    {
        InputException exception = Assert.Throws<InputException>(() => Read(json));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.Contains("generation_config.json", exception.Message, StringComparison.Ordinal);
    }

    private GenerationConfiguration Read(string? json)
    {
        if (json is not null) File.WriteAllText(folder.File("generation_config.json"), json);
        return GenerationConfiguration.Read(folder.Root, ModelConfiguration.Shape("llama-2-7b"));
    }
}
