using static TorchSharp.torch;

namespace NativeVaccine.TorchReference;

/// <summary>Rotary position embedding in Hugging Face's convention: the two halves of a head are turned against each other.</summary>
internal static class RotaryEmbedding
{
    /// <summary>cos and sin of every angle, (T, head size).</summary>
    /// <remarks>
    /// Frequencies, angles and their cosines are float32 whatever the model's arithmetic, as transformers has them: at position 100 the
    /// rounding of an angle is a hundred times that of a weight, and the model was trained with it.
    /// </remarks>
    public static (Tensor Cosine, Tensor Sine) Angles(ReferenceConfiguration configuration, int length, ScalarType type)
    {
        float[] frequencies = Frequencies(configuration);
        int half = frequencies.Length;
        var angles = new float[length * half * 2];
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
    private static float[] Frequencies(ReferenceConfiguration c)
    {
        float[] exponents = [.. Enumerable.Range(0, c.HeadSize / 2).Select(i => 2f * i / c.HeadSize)];
        float[] plain = tensor([(float)c.RopeTheta]).pow(tensor(exponents)).reciprocal().data<float>().ToArray();
        return c.RopeScaling switch
        {
            ReferenceRopeScaling.Linear => [.. plain.Select(frequency => (float)(frequency / c.RopeFactor))],
            ReferenceRopeScaling.Llama3 => [.. plain.Select(frequency => (float)Llama3(c, frequency))],
            _ => plain,
        };
    }

    private static double Llama3(ReferenceConfiguration c, double frequency)
    {
        double turns = c.RopeOriginalLength * frequency / (2 * Math.PI); // in the length that the model was first trained with
        double kept = (turns - c.RopeLowFrequencyFactor) / (c.RopeHighFrequencyFactor - c.RopeLowFrequencyFactor);
        kept = Math.Clamp(kept, 0, 1);
        return ((1 - kept) * frequency / c.RopeFactor) + (kept * frequency);
    }
}
