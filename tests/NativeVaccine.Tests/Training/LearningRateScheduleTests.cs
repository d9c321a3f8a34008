using NativeVaccine.Tests.TorchReference;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Training;

public sealed class LearningRateScheduleTests
{
    [Theory]
    [InlineData("sft")]
    [InlineData("tvaccine-paper")]
    [InlineData("tvaccine-reference")]
    [InlineData("tvaccine-micro")]
    public void CosineIsThatOfTheAuthorsTrainer(string name)
    {
        using var trace = new Trace(name);
        TrainingOptions options = trace.Options;
        var schedule = new LearningRateSchedule(ScheduleKind.Cosine, options.LearningRate, options.WarmupRatio, trace.Steps.Count);

        for (int step = 0; step < trace.Steps.Count; step++)
            Near.Equal($"step {step}", trace.Steps[step].GetProperty("learning_rate").GetDouble(), schedule.At(step), 0, 1e-14);
    }

    [Fact]
    public void TheLengthOfTheWarmupIsRoundedUp()
    {
        Assert.Equal(400, new LearningRateSchedule(ScheduleKind.Cosine, 1, 0.1, 4000).WarmupSteps);
        Assert.Equal(3, new LearningRateSchedule(ScheduleKind.Cosine, 1, 0.1, 24).WarmupSteps);
        Assert.Equal(0, new LearningRateSchedule(ScheduleKind.Cosine, 1, 0, 24).WarmupSteps);
    }

    [Fact]
    public void OtherFormsRiseAndFallAsTheirNamesSay()
    {
        double[] At(ScheduleKind kind) => [.. Enumerable.Range(0, 6).Select(new LearningRateSchedule(kind, 2, 0.3, 6).At)];

        Assert.Equal([0, 1, 2, 1.5, 1, 0.5], At(ScheduleKind.Linear));
        Assert.Equal([0, 1, 2, 2, 2, 2], At(ScheduleKind.ConstantWithWarmup));
        Assert.Equal([2, 2, 2, 2, 2, 2], At(ScheduleKind.Constant));
    }

    [Fact]
    public void ARunOfWarmupOnlyHasAnEnd()
    {
        var schedule = new LearningRateSchedule(ScheduleKind.Cosine, 1, 1, 4);

        Assert.Equal([0, 0.25, 0.5, 0.75, 1], Enumerable.Range(0, 5).Select(schedule.At));
    }
}
