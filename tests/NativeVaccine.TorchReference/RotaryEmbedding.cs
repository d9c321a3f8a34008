using static TorchSharp.torch;

namespace NativeVaccine.TorchReference;

/// <summary>Rotary position embedding in Hugging Face's convention: the two halves of a head are turned against each other.</summary>
internal static class RotaryEmbedding
{
    /// <summary>cos and sin of every angle, (T, head size), the angles computed in double.</summary>
    public static (Tensor Cosine, Tensor Sine) Angles(ReferenceConfiguration configuration, int length, ScalarType type)
    {
        double[] frequencies = Frequencies(configuration);
        int half = frequencies.Length;
        var angles = new double[length * half * 2];
        for (int position = 0; position < length; position++)
            for (int i = 0; i < half * 2; i++)
                angles[(position * half * 2) + i] = position * frequencies[i % half];
        Tensor table = tensor(angles, [length, half * 2]);
        return (table.cos().to(type), table.sin().to(type));
    }

    /// <summary>Turns (..., T, head size) by the angles.</summary>
    public static Tensor Turn(Tensor heads, Tensor cosine, Tensor sine)
    {
        Tensor[] halves = heads.chunk(2, -1);
        return (heads * cosine).Plus(cat([-halves[1], halves[0]], -1) * sine);
    }

    /// <summary>Radians per position, (head size / 2). Scaling as Llama 3.1's published code does it.</summary>
    private static double[] Frequencies(ReferenceConfiguration c)
    {
        var frequencies = new double[c.HeadSize / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            double frequency = Math.Pow(c.RopeTheta, -2.0 * i / c.HeadSize);
            frequencies[i] = c.RopeScaling switch
            {
                ReferenceRopeScaling.Linear => frequency / c.RopeFactor,
                ReferenceRopeScaling.Llama3 => Llama3(c, frequency),
                _ => frequency,
            };
        }
        return frequencies;
    }

    private static double Llama3(ReferenceConfiguration c, double frequency)
    {
        double turns = c.RopeOriginalLength * frequency / (2 * Math.PI); // in the length that the model was first trained with
        double kept = (turns - c.RopeLowFrequencyFactor) / (c.RopeHighFrequencyFactor - c.RopeLowFrequencyFactor);
        kept = Math.Clamp(kept, 0, 1);
        return ((1 - kept) * frequency / c.RopeFactor) + (kept * frequency);
    }
}
