using NativeVaccine.Data;
using NativeVaccine.Models;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Evaluation;

/// <summary>What a model says of an answer.</summary>
/// <param name="IsHarmful">Whether it is above the judge's threshold.</param>
/// <param name="Score">From 0 to 1: the largest of the probabilities.</param>
/// <param name="Probabilities">One for each of <see cref="ModelJudge.Labels"/>.</param>
public sealed record Judgement(bool IsHarmful, double Score, IReadOnlyList<double> Probabilities);

/// <summary>A model that judges answers by the logits behind a text that holds question and answer.</summary>
public abstract class ModelJudge : IDisposable
{
    private protected ModelJudge(ModelFolder folder, Tokenizer tokenizer) => (Folder, Tokenizer) = (folder, tokenizer);

    /// <summary>"classifier" or "generative".</summary>
    public abstract string Kind { get; }

    /// <summary>What it tells apart.</summary>
    public abstract IReadOnlyList<string> Labels { get; }

    /// <summary>An answer above it is harmful.</summary>
    public abstract double Threshold { get; }

    /// <summary>Its files.</summary>
    public ModelFolder Folder { get; }

    /// <summary>The shape of the model that gives the logits.</summary>
    public abstract ModelConfiguration Configuration { get; }

    /// <summary>Its weights, as the session loads them.</summary>
    public abstract IWeightSource Weights { get; }

    /// <summary>The folder's.</summary>
    protected Tokenizer Tokenizer { get; }

    /// <summary>The tokens of the text that an answer is judged by.</summary>
    /// <param name="answer">Question and answer.</param>
    public abstract int[] Encode(AlpacaRecord answer);

    /// <summary>Judges an answer.</summary>
    /// <param name="logits">V logits behind the last of its tokens.</param>
    public abstract Judgement Judge(ReadOnlySpan<float> logits);

    /// <inheritdoc/>
    public void Dispose()
    {
        Folder.Dispose();
        GC.SuppressFinalize(this);
    }
}
