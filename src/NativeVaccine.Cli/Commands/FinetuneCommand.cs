using NativeVaccine.Training;

namespace NativeVaccine.Cli.Commands;

/// <summary>Fine-tunes an aligned model, as its users do, and attackers among them.</summary>
internal sealed class FinetuneCommand(CommandContext context) : TrainingVerb(
    "finetune",
    "Merge an alignment adapter and train a fresh one on a task",
    "nvaccine finetune --run ./runs/aligned --data ./task.json --out ./runs/attacked",
    TrainingStage.Finetune,
    context);
