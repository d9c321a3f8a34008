using NativeVaccine.Cli.Demo;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Demo;

public sealed class ToyModelTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public ToyModelTests() => ToyModel.Write(folder.File("model"), seed: 3);

    public void Dispose() => folder.Dispose();

    [Fact]
    public void TheModelHasItsSizeAndItsSpread()
    {
        using ModelFolder model = ModelFolder.Open(folder.File("model"));
        Assert.Equal(445_120, model.Configuration.ParameterCount);
        AssertDeviation(model, WeightNames.Embedding, 0.5);
        AssertDeviation(model, WeightNames.Head, 1 / Math.Sqrt(64));
        AssertDeviation(model, WeightNames.Weight(0, Projection.Query), 1 / Math.Sqrt(64));
        AssertDeviation(model, WeightNames.Weight(7, Projection.Output), 1 / Math.Sqrt(64) / 4);
        AssertDeviation(model, WeightNames.Weight(7, Projection.Down), 1 / Math.Sqrt(192) / 4);
        float[] norm = new float[64];
        model.ReadFloat32(WeightNames.FinalNorm, norm);
        Assert.All(norm, static value => Assert.Equal(1, value));
    }

    [Fact]
    public void ItsTokenizerSpeaksTheLanguage()
    {
        Tokenizer tokenizer = Tokenizer.Load(folder.File("model"));
        tokenizer.Fit(ToyModel.Configuration.VocabularySize);
        ToyQuestion question = new ToyWorld(3).ForbiddenTest()[0];
        string text = string.Join(' ', question.Prompt.Skip(1).Select(static id => ToyLanguage.Words[id]));
        Assert.Equal(question.Prompt, tokenizer.Encode(text));
        Assert.Equal(text, tokenizer.Decode(question.Prompt));
        Assert.Equal(ToyLanguage.EndId, tokenizer.EndOfSequenceId);
        Assert.Equal(ToyLanguage.EndId, tokenizer.EndOfSequenceId);
    }

    private static void AssertDeviation(ModelFolder model, string name, double expected)
    {
        float[] values = new float[model.Info(name).ElementCount];
        model.ReadFloat32(name, values);
        double deviation = Math.Sqrt(values.Average(static value => (double)value * value));
        Assert.InRange(deviation, 0.95 * expected, 1.05 * expected);
    }
}
