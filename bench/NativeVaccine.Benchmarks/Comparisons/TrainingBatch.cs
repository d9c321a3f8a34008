using NativeVaccine.Data;
using NativeVaccine.TorchReference;

namespace NativeVaccine.Benchmarks.Comparisons;

/// <summary>Samples of random tokens.</summary>
internal sealed record TrainingBatch(string Name, IReadOnlyList<Sample> Samples)
{
    private const int Seed = 1;

    public int TokenCount => Samples.Sum(static sample => sample.InputIds.Length);

    public int LongestSample => Samples.Max(static sample => sample.InputIds.Length);

    /// <summary>Rows that a padded batch has.</summary>
    public int PaddedCount => Samples.Count * LongestSample;

    public IReadOnlyList<ReferenceSample> ReferenceSamples =>
        [.. Samples.Select(static sample => new ReferenceSample(sample.InputIds, sample.Labels))];

    /// <summary>Samples of one length, every token labelled.</summary>
    public static TrainingBatch Equal(BenchmarkShape shape, int samples, int length) =>
        Of("equal lengths", shape, Enumerable.Repeat(length, samples), 0);

    /// <summary>Lengths in a geometric row from the shortest to the longest, every token labelled.</summary>
    public static TrainingBatch Unequal(BenchmarkShape shape, int samples, int shortest, int longest) =>
        Of("unequal lengths", shape, Lengths(samples, shortest, longest), 0);

    /// <summary>As <see cref="Unequal"/>, but only the second half of each sample is labelled, as answers to instructions are.</summary>
    public static TrainingBatch Answers(BenchmarkShape shape, int samples, int shortest, int longest) =>
        Of("unequal, answers labelled", shape, Lengths(samples, shortest, longest), 0.5);

    private static IEnumerable<int> Lengths(int samples, int shortest, int longest) => Enumerable.Range(0, samples).Select(i =>
        (int)Math.Round(shortest * Math.Pow((double)longest / shortest, i / (samples - 1.0)), MidpointRounding.ToEven));

    private static TrainingBatch Of(string name, BenchmarkShape shape, IEnumerable<int> lengths, double unlabelled)
    {
        var random = new Random(Seed);
        return new TrainingBatch(name, [.. lengths.Select(length =>
        {
            int[] ids = [.. Enumerable.Range(0, length).Select(_ => random.Next(shape.Configuration.VocabularySize))];
            int[] labels = [.. ids];
            labels.AsSpan(0, (int)(length * unlabelled)).Fill(Sample.IgnoredLabel);
            return new Sample(ids, labels);
        })]);
    }
}
