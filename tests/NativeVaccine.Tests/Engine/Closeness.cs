using System.Text.Json;
using NativeVaccine.Tests.TorchReference;
using Xunit.Abstractions;

namespace NativeVaccine.Tests.Engine;

/// <summary>
/// How near logits and losses must be to what transformers computed in fp32: in fp32 the fixtures' own tolerances, in bf16 twice as far as
/// PyTorch's own bf16 run is (torch_bf16_distance).
/// </summary>
internal sealed class Closeness
{
    /// <summary>
    /// A distance of PyTorch's mean loss in bf16 (tiny-mistral's) that counts where a model's own is smaller, which it can be by chance:
    /// tiny-gqa's logits are as far off as the others', and its loss a tenth.
    /// </summary>
    private const double CommonLossDistance = 9.4e-4;

    private readonly string folder;
    private readonly ITestOutputHelper? output;

    public Closeness(string folder, ITestOutputHelper? output = null)
    {
        (this.folder, this.output) = (folder, output);
        if (!TestDevice.IsBFloat16) return;
        // tiny-llama-linear-rope is tiny-llama's weights, and has no distance of its own.
        using var expected = new ExpectedFile(folder == "tiny-llama-linear-rope" ? "tiny-llama" : folder);
        JsonElement distance = expected.Root.GetProperty("torch_bf16_distance");
        LargestLogit = 2 * distance.GetProperty("logits_max_abs").GetDouble();
        MeanLogit = 2 * distance.GetProperty("logits_mean_abs").GetDouble();
        double fp32 = expected.Root.GetProperty("batch").GetProperty("mean_loss").GetDouble();
        MeanLoss = 2 * Math.Max(CommonLossDistance, Math.Abs(distance.GetProperty("mean_loss").GetDouble() - fp32));
    }

    /// <summary>In bf16: how far a logit may be off at most.</summary>
    public double LargestLogit { get; }

    /// <summary>In bf16: how far logits may be off in the mean.</summary>
    public double MeanLogit { get; }

    /// <summary>In bf16: how far the mean loss may be off.</summary>
    public double MeanLoss { get; }

    public void OfMeanLoss(double expected, double actual)
    {
        output?.WriteLine(FormattableString.Invariant($"{folder}: mean loss off by {Math.Abs(expected - actual):G3}"));
        if (TestDevice.IsBFloat16) Near.Equal("mean loss", expected, actual, MeanLoss, 0);
        else Near.Equal("mean loss", expected, actual, 0, 1e-5);
    }

    public void OfLossSum(double expected, double actual, int labels)
    {
        // A loss is a logit less the logarithm of a sum of all: each is off by no more than the logits are.
        if (TestDevice.IsBFloat16) Near.Equal("loss sum", expected, actual, labels * 2 * LargestLogit, 0);
        else Near.Equal("loss sum", expected, actual, 0, 1e-5);
    }

    public void OfLogits(string what, ReadOnlySpan<float> expected, double[] actual)
    {
        if (!TestDevice.IsBFloat16)
        {
            Near.Equal(what, expected, actual, 1e-4, 1e-4);
            return;
        }
        double largest = 0, sum = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            double distance = Math.Abs(expected[i] - actual[i]);
            Assert.False(double.IsNaN(distance), $"{what}[{i}] is not a number");
            (largest, sum) = (Math.Max(largest, distance), sum + distance);
        }
        string found = FormattableString.Invariant(
            $"{folder} {what}: off by {largest:G3} at most (bound {LargestLogit:G3}), {sum / actual.Length:G3} in the mean (bound {MeanLogit:G3})");
        output?.WriteLine(found);
        Assert.Equal(expected.Length, actual.Length);
        Assert.True(largest <= LargestLogit && sum / actual.Length <= MeanLogit, found);
    }
}
