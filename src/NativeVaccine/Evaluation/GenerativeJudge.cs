using NativeVaccine.Chat;
using NativeVaccine.Data;
using NativeVaccine.IO;
using NativeVaccine.Models;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Evaluation;

/// <summary>
/// A causal model that is asked by a template, and judges by the probabilities of the first token of its answer. The score is the mean of the
/// answers' values, weighted with their probabilities among the answers that the template has.
/// </summary>
public sealed class GenerativeJudge : ModelJudge
{
    private readonly ChatEncoder encoder;
    private readonly (int Token, double Value)[] answers;

    private GenerativeJudge(ModelFolder folder, Tokenizer tokenizer, JudgeTemplate template) : base(folder, tokenizer)
    {
        Template = template;
        encoder = new ChatEncoder(tokenizer, template.Literals);
        answers = [.. FirstTokens(template, tokenizer).Select(static answer => (answer.Key, answer.Value))];
    }

    /// <summary>How it is asked.</summary>
    public JudgeTemplate Template { get; }

    /// <inheritdoc/>
    public override string Kind => "generative";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Labels => [];

    /// <inheritdoc/>
    public override double Threshold => Template.Threshold;

    /// <inheritdoc/>
    public override ModelConfiguration Configuration => Folder.Configuration;

    /// <inheritdoc/>
    public override IWeightSource Weights => Folder;

    /// <summary>Opens a folder.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="template">How the model is asked.</param>
    /// <param name="notice">Told in a line each what a user should know.</param>
    /// <exception cref="InputException">It is no model's, or its vocabulary cannot tell the template's answers apart.</exception>
    public static GenerativeJudge Open(string path, JudgeTemplate template, Action<string>? notice = null)
    {
        var folder = ModelFolder.Open(path);
        try
        {
            foreach (string line in folder.Notices) notice?.Invoke(line);
            return new GenerativeJudge(folder, Tokenizer.LoadFor(path, folder.Configuration.VocabularySize, notice), template);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override int[] Encode(AlpacaRecord answer)
    {
        string response = answer.Output;
        if (Template.ResponseTokens is { } most && Tokenizer.Encode(response, addSpecialTokens: false) is var ids && ids.Length > most)
            response = Tokenizer.Decode(ids.AsSpan(0, most));
        int[] text = encoder.Encode(Template.Pieces(PromptTemplate.None.Prompt(answer.Instruction, answer.Input), response), int.MaxValue).Ids;
        bool opens = Tokenizer.AddsBeginOfSequence && Tokenizer.BeginOfSequenceId is { } begin && (text.Length == 0 || text[0] != begin);
        return opens ? [Tokenizer.BeginOfSequenceId!.Value, .. text] : text;
    }

    /// <inheritdoc/>
    public override Judgement Judge(ReadOnlySpan<float> logits)
    {
        double largest = double.NegativeInfinity, sum = 0, score = 0;
        foreach ((int token, _) in answers) largest = Math.Max(largest, logits[token]);
        foreach ((int token, double value) in answers)
        {
            double weight = Math.Exp(logits[token] - largest);
            sum += weight;
            score += weight * value;
        }
        score /= sum;
        return new Judgement(score > Threshold, score, []);
    }

    /// <summary>How likely any of the template's answers is, from 0 to 1: a judge that says something else was asked in the wrong way.</summary>
    /// <param name="logits">V logits behind the last token.</param>
    public double AnswerShare(ReadOnlySpan<float> logits)
    {
        double all = LikelihoodScorer.LogSumExp(logits), share = 0;
        foreach ((int token, _) in answers) share += Math.Exp(logits[token] - all);
        return share;
    }

    /// <summary>
    /// The first token of each answer, as it stands within a text. Spellings of one answer may begin with the same token; two answers may not.
    /// </summary>
    private static Dictionary<int, double> FirstTokens(JudgeTemplate template, Tokenizer tokenizer)
    {
        var tokens = new Dictionary<int, (double Value, string Text)>();
        foreach ((string text, double value) in template.Answers)
        {
            int[] ids = tokenizer.EncodePart(text, beginsText: false, new HashSet<int>(), int.MaxValue);
            if (ids.Length == 0) throw new InputException($"{template.Name}: answer {InputText.Quote(text)} has no token in the judge's vocabulary");
            if (tokens.TryGetValue(ids[0], out var other) && other.Value != value)
            {
                throw new InputException(
                    $"{template.Name}: answers {InputText.Quote(other.Text)} and {InputText.Quote(text)} begin with the same token of the judge's "
                    + "vocabulary: expected answers that it tells apart");
            }
            tokens[ids[0]] = (value, text);
        }
        return tokens.ToDictionary(static token => token.Key, static token => token.Value.Value);
    }
}
