using NativeVaccine.TorchReference;

namespace NativeVaccine.Tests.TorchReference;

/// <summary>The step that speed is measured against computes what the reference trainer computes, with torch's own optimizer.</summary>
public sealed class PaddedTrainingStepTests
{
    private const double LearningRate = 0.01;
    private const int Steps = 5;

    [Fact]
    public void SupervisedStepsAreTheTrainers()
    {
        using var model = new ReferenceModel(SmallModel.Configuration, SmallModel.Weights, SmallModel.Lora);
        using var padded = new PaddedTrainingStep(
            SmallModel.Configuration, SmallModel.Weights, SmallModel.Lora, learningRate: LearningRate);
        var trainer = new ReferenceTrainer(model);
        for (int i = 0; i < Steps; i++)
        {
            double expected = trainer.SupervisedStep(SmallModel.Batch, LearningRate, ReferenceTrainer.EveryLora).Loss;
            Near.Equal($"loss {i}", expected, padded.Step(SmallModel.Batch), 0, 1e-5);
        }
    }

    [Fact]
    public void PerturbedStepsAreTheTrainers()
    {
        int[] layers = [1];
        using var model = new ReferenceModel(SmallModel.Configuration, SmallModel.Weights, SmallModel.Lora);
        using var padded = new PaddedTrainingStep(
            SmallModel.Configuration, SmallModel.Weights, SmallModel.Lora, ReferenceTrainer.LoraOf(layers), LearningRate);
        var trainer = new ReferenceTrainer(model);
        for (int i = 0; i < Steps; i++)
        {
            double expected = trainer.TVaccineStep(SmallModel.Batch, LearningRate, rho: 3, layers, ReferenceTrainer.LoraOf(layers)).Loss;
            Near.Equal($"loss {i}", expected, padded.PerturbedStep(SmallModel.Batch, rho: 3, layers), 0, 1e-5);
        }
    }

    [Fact]
    public void StepsOfAllWeightsAreTheTrainers()
    {
        using var model = new ReferenceModel(SmallModel.Configuration, SmallModel.Weights);
        using var padded = new PaddedTrainingStep(SmallModel.Configuration, SmallModel.Weights, null, learningRate: LearningRate);
        var trainer = new ReferenceTrainer(model);
        for (int i = 0; i < Steps; i++)
        {
            double expected = trainer.SupervisedStep(SmallModel.Batch, LearningRate, _ => true).Loss;
            Near.Equal($"loss {i}", expected, padded.Step(SmallModel.Batch), 0, 1e-5);
        }
    }
}
