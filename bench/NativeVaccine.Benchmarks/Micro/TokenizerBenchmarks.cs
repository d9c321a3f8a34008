using System.Runtime.CompilerServices;
using System.Text;
using BenchmarkDotNet.Attributes;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Benchmarks.Micro;

/// <summary>Tokenizers on English prose; times are for one character of text.</summary>
[Config(typeof(MicroBenchmarkConfig))]
public class TokenizerBenchmarks
{
    private const int Characters = 10_000;
    private Tokenizer tokenizer = null!;
    private string text = "";
    private int[] ids = [];

    /// <summary>Fixtures: SentencePiece as Llama-2 has it, and a byte-level vocabulary as Qwen2 has it, both small.</summary>
    [Params("tiny-llama", "tiny-qwen2")]
    public string Model { get; set; } = "";

    [GlobalSetup]
    public void Load()
    {
        tokenizer = Tokenizer.Load(Path.Combine(RepositoryRoot(), "tests", "fixtures", Model));
        text = Prose();
        ids = tokenizer.Encode(text);
    }

    [Benchmark(OperationsPerInvoke = Characters)]
    public int[] Encode() => tokenizer.Encode(text);

    [Benchmark(OperationsPerInvoke = Characters)]
    public string Decode() => tokenizer.Decode(ids);

    /// <summary>Sentences that differ, so that no cache of words or pieces answers for all.</summary>
    private static string Prose()
    {
        string[] subjects = ["The gardener", "A quiet neighbour", "Every second student", "Nobody in town", "The old lighthouse"];
        string[] verbs = ["measured", "forgot to mention", "carefully repaired", "was painting", "wrote about"];
        string[] objects = ["the copper kettle", "a map of the northern coast", "seventeen small windows", "its own shadow", "apples"];
        var random = new Random(1);
        var prose = new StringBuilder();
        while (prose.Length < Characters)
        {
            prose.AppendJoin(' ', Pick(subjects), Pick(verbs), Pick(objects));
            prose.Append(random.Next(9) == 0 ? ".\n\n" : ". ");
        }
        return prose.ToString(0, Characters);

        string Pick(string[] words) => words[random.Next(words.Length)];
    }

    private static string RepositoryRoot([CallerFilePath] string path = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", "..", ".."));
}
