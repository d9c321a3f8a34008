using System.Runtime.CompilerServices;
using NativeVaccine.Interop;

namespace NativeVaccine.Engine;

/// <summary>
/// Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101), as PyTorch computes it: the parameter loses
/// learning rate * decay of itself, then follows the bias-corrected moments. Each tensor counts its own steps; one that is left out of a
/// step keeps parameters, moments and count.
/// </summary>
public sealed class AdamW
{
    private readonly Session session;
    private readonly int number;

    internal AdamW(Session session, int number, int firstMoment)
    {
        (this.session, this.number) = (session, number);
        FirstMoment = new ParameterVector(session, firstMoment);
        SecondMoment = new ParameterVector(session, firstMoment + 1);
    }

    /// <summary>Decay of the first moment.</summary>
    public double Beta1 { get; set; } = 0.9;

    /// <summary>Decay of the second moment.</summary>
    public double Beta2 { get; set; } = 0.999;

    /// <summary>Added to the root of the second moment.</summary>
    public double Epsilon { get; set; } = 1e-8;

    /// <summary>Decoupled weight decay; all tensors decay.</summary>
    public double WeightDecay { get; set; }

    /// <summary>Running mean of the gradients.</summary>
    public ParameterVector FirstMoment { get; }

    /// <summary>Running mean of their squares.</summary>
    public ParameterVector SecondMoment { get; }

    /// <summary>Steps that each trainable tensor has taken, to save and to restore.</summary>
    /// <exception cref="ArgumentException">Not one number for each trainable tensor.</exception>
    public long[] Steps
    {
        get
        {
            long[] steps = new long[session.TrainableTensors.Count];
            NativeMethods.AdamWReadSteps(session.Handle, number, steps.Length, steps).ThrowIfFailed();
            return steps;
        }

        set
        {
            int expected = session.TrainableTensors.Count;
            if (value.Length != expected) throw new ArgumentException($"{value.Length} step counts; expected {expected}, one a tensor");
            NativeMethods.AdamWWriteSteps(session.Handle, number, value.Length, value).ThrowIfFailed();
        }
    }

    /// <summary>Moments and step counts become zero: a new optimizer.</summary>
    public void Reset() => NativeMethods.AdamWReset(session.Handle, number).ThrowIfFailed();

    /// <summary>Steps the tensors of a set.</summary>
    /// <param name="gradients">Their gradients. The vector is not changed by clipping.</param>
    /// <param name="learningRate">Of this step.</param>
    /// <param name="tensors">Which; null for all.</param>
    /// <param name="clip">The gradients are scaled by min(1, clip / (norm + 1e-6)), the norm over these tensors; 0 for no clipping.</param>
    /// <returns>The norm of the gradients over these tensors, before clipping.</returns>
    public unsafe Scalar Step(ParameterVector gradients, double learningRate, TensorSet? tensors = null, float clip = 0)
    {
        long square = session.Scalars.Take();
        int slot = ScalarRing.Slot(square);
        ReadOnlySpan<byte> mask = session.Mask(tensors);
        int vector = session.NumberOf(gradients);
        NativeMethods.VectorDot(session.Handle, vector, vector, mask, slot).ThrowIfFailed();
        fixed (byte* maskPointer = mask)
        {
            var options = new NativeAdamWOptions
            {
                StructSize = (uint)Unsafe.SizeOf<NativeAdamWOptions>(),
                Optimizer = number,
                GradientVector = vector,
                LearningRate = learningRate,
                Beta1 = Beta1,
                Beta2 = Beta2,
                Epsilon = Epsilon,
                WeightDecay = WeightDecay,
                Clip = clip,
                NormScalar = clip > 0 ? slot : -1,
                Tensors = maskPointer,
            };
            NativeMethods.AdamWStep(session.Handle, options).ThrowIfFailed();
        }
        return new Scalar(session.Scalars, square, squareRoot: true);
    }
}
