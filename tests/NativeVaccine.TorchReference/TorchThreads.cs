using TorchSharp;

namespace NativeVaccine.TorchReference;

/// <summary>How many threads torch computes with, in the whole process.</summary>
public static class TorchThreads
{
    /// <summary>The first <see cref="ReferenceModel"/> sets 1, a <see cref="PaddedTrainingStep"/> what it is told.</summary>
    public static int Count
    {
        get => torch.get_num_threads();
        internal set => torch.set_num_threads(value);
    }
}
