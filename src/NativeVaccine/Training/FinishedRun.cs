namespace NativeVaccine.Training;

/// <summary>What a run left for others to use: a model, the adapters to merge into it, and how they were made.</summary>
/// <param name="Model">Folder of the model; that of the run itself if all of it was trained.</param>
/// <param name="Adapters">The adapters to merge into it, in this order; the run's own is the last.</param>
/// <param name="Options">The run's options.</param>
public sealed record FinishedRun(string Model, IReadOnlyList<string> Adapters, TrainingOptions Options)
{
    /// <summary>Reads the folder of a run.</summary>
    /// <exception cref="InputException">It is no run's, or the run is not complete, or what its adapter stands on is missing.</exception>
    public static FinishedRun Open(string folder)
    {
        TrainingOptions options = RunFolder.ReadOptions(folder);
        string result = RunFolder.ResultOf(folder, options.Full);
        if (!Directory.Exists(result))
        {
            string verb = options.Stage == TrainingStage.Align ? "align" : "finetune";
            throw new InputException($"{folder}: the run is not complete; continue with: nvaccine {verb} --resume {folder}");
        }
        if (options.Full) return new FinishedRun(result, [], options);
        string model = options.Model
            ?? throw new InputException($"{folder}: {RunFolder.ConfigurationFileName} names no model; expected --model and --adapter {result}");
        if (!Directory.Exists(model))
        {
            throw new InputException(
                $"{folder}: its model {model} is not there any more; expected --model with where it is now, and --adapter {result}");
        }
        // The record finds moved folders; where it was taken away, the run still knows what it merged.
        bool isRecorded = AdapterRecord.Find(result) is not null;
        return new FinishedRun(model, isRecorded ? AdapterChain.Complete([result]) : [.. options.Adapter, result], options);
    }
}
