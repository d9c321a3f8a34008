using NativeVaccine.Training;

namespace NativeVaccine.Cli.Commands;

/// <summary>Aligns a model so that it is safe, and by some methods hard to make unsafe.</summary>
internal sealed class AlignCommand(CommandContext context) : TrainingVerb(
    "align",
    "Align a model with refusals: plainly, or hardened against harmful fine-tuning",
    "nvaccine align --model ./llama-2-7b --data ./refusals.json --method tvaccine --harmful-data ./harmful.json --out ./runs/aligned",
    TrainingStage.Align,
    context);
