using System.Text.Json.Nodes;
using NativeVaccine.Tests.Cli;

namespace NativeVaccine.Tests.Engine;

/// <summary>What metrics.jsonl says of the arithmetic of a step, counted here by hand.</summary>
public sealed class FlopTests : IDisposable
{
    private const int Layers = 4;
    private const int Tokens = 6;
    private const int Labels = 4;
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("flops-");
    private readonly double layer;
    private readonly double head;

    public FlopTests()
    {
        JsonNode shape = JsonNode.Parse(File.ReadAllText(Path.Combine(Fixtures.Path("micro-llama"), "config.json")))!;
        double hidden = (double)shape["hidden_size"]!, heads = (double)shape["num_attention_heads"]!;
        double keyValue = hidden / heads * (double)(shape["num_key_value_heads"] ?? shape["num_attention_heads"])!;
        layer = 2 * Tokens * ((2 * hidden * hidden) + (2 * hidden * keyValue) + (3 * hidden * (double)shape["intermediate_size"]!));
        head = 2 * Labels * hidden * (double)shape["vocab_size"]!;
    }

    public void Dispose() => folder.Delete(recursive: true);

    [Theory]
    [InlineData("sft", 2)]
    [InlineData("vaccine", 4)]
    [InlineData("sft", 3, "--full")]
    public void PassesAreCounted(string method, int passes, params string[] more) =>
        Assert.Equal(passes * ((Layers * layer) + head), (double)LastStep(method, more)["flops"]!);

    [Fact]
    public void WhatLiesBelowTheLowestChosenLayerIsSaved()
    {
        JsonNode step = LastStep(
            "tvaccine", "--layers", "1", "--layer-sampling", "upper", "--probe-every", "1000", "--dropout", "0.1", "--harmful-data", Data());
        int lowest = (int)step["active_layers"]![0]!;
        Assert.InRange(lowest, Layers / 2, Layers - 1);
        Assert.Equal((((2 * Layers) + (2 * (Layers - lowest))) * layer) + (4 * head), (double)step["flops"]!);
    }

    private JsonNode LastStep(string method, params string[] more)
    {
        string run = Path.Combine(folder.FullName, Path.GetRandomFileName());
        CommandLine.Succeed([
            "align", "--model", Fixtures.Path("micro-llama"), "--data", Data(), "--method", method, "--batch", "1", "--epochs", "1", "--out", run, .. more]);
        return JsonNode.Parse(File.ReadLines(Path.Combine(run, "metrics.jsonl")).Last())!;
    }

    private string Data()
    {
        string file = Path.Combine(folder.FullName, "data.jsonl");
        const string Record = """{"input_ids": [1, 5, 6, 7, 8, 2], "labels": [-100, -100, 6, 7, 8, 2]}""";
        File.WriteAllText(file, $"{Record}\n{Record}\n");
        return file;
    }
}
