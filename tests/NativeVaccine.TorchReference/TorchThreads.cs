using TorchSharp;

namespace NativeVaccine.TorchReference;

/// <summary>How many threads torch computes with, in the whole process.</summary>
public static class TorchThreads
{
    /// <summary>1 as soon as there is a <see cref="ReferenceModel"/>; what a <see cref="PaddedTrainingStep"/> asks for, as soon as there is one.</summary>
    public static int Count
    {
        get => torch.get_num_threads();
        internal set => torch.set_num_threads(value);
    }
}
