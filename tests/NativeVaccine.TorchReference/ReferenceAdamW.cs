namespace NativeVaccine.TorchReference;

/// <summary>
/// AdamW as torch's documentation states it, one tensor at a time: p -= lr wd p; then moments, their bias corrections, and
/// p -= lr m' / (sqrt(v') + eps). A tensor that is not given in a step keeps its moments and its step count.
/// </summary>
public sealed class ReferenceAdamW(double weightDecay, double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8)
{
    private readonly Dictionary<string, State> states = new(StringComparer.Ordinal);

    /// <summary>Updates one tensor in place; its moments go by its name.</summary>
    public void Step(string name, Span<double> parameter, ReadOnlySpan<double> gradient, double learningRate)
    {
        if (!states.TryGetValue(name, out State? state))
            states.Add(name, state = new State(parameter.Length));
        state.Steps++;
        double correction1 = 1 - Math.Pow(beta1, state.Steps);
        double correction2 = 1 - Math.Pow(beta2, state.Steps);
        for (int i = 0; i < parameter.Length; i++)
        {
            state.First[i] = (beta1 * state.First[i]) + ((1 - beta1) * gradient[i]);
            state.Second[i] = (beta2 * state.Second[i]) + ((1 - beta2) * gradient[i] * gradient[i]);
            parameter[i] -= learningRate * weightDecay * parameter[i];
            parameter[i] -= learningRate / correction1 * state.First[i] / (Math.Sqrt(state.Second[i] / correction2) + epsilon);
        }
    }

    private sealed class State(int length)
    {
        public int Steps { get; set; }

        public double[] First { get; } = new double[length];

        public double[] Second { get; } = new double[length];
    }
}
