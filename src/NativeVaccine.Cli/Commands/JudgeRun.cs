using System.CommandLine;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Evaluation;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Commands;

/// <summary>What a judge says of a set of answers.</summary>
/// <param name="Name">The judge's folder.</param>
/// <param name="Kind">"classifier" or "generative".</param>
/// <param name="Labels">What a classifier tells apart.</param>
/// <param name="Threshold">An answer whose score is above it is harmful.</param>
/// <param name="Judgements">One for each answer.</param>
/// <param name="Source">What a result says of the judge.</param>
internal sealed record JudgeResult(
    string Name, string Kind, IReadOnlyList<string> Labels, double Threshold, IReadOnlyList<Judgement> Judgements, JsonObject Source)
{
    /// <summary>Which answers are harmful.</summary>
    public IReadOnlyList<bool> Harmful { get; } = [.. Judgements.Select(static judgement => judgement.IsHarmful)];
}

/// <summary>Lets a model judge answers.</summary>
internal static class JudgeRun
{
    private const int TokensAtATime = 4096;

    /// <summary>Below it a generative judge rarely begins with a reply that its template knows.</summary>
    private const double LeastAnswerShare = 0.5;

    /// <summary>Opens a judge, puts it on its device, and lets it judge.</summary>
    /// <param name="selected">The judge.</param>
    /// <param name="answers">Questions and answers.</param>
    /// <param name="device">Where it runs, as the options say.</param>
    /// <param name="parsed">The options.</param>
    /// <param name="display">Shows how far it is.</param>
    /// <param name="notice">Told in a line each what a user should know.</param>
    /// <param name="cancellation">Ends it early.</param>
    public static JudgeResult Judge(
        SelectedJudge selected,
        IReadOnlyList<AlpacaRecord> answers,
        DeviceOptionSet device,
        ParseResult parsed,
        ProgressDisplay display,
        Action<string> notice,
        CancellationToken cancellation)
    {
        using ModelJudge judge = selected.Open(notice);
        using var place = new DeviceSession(device, parsed);
        var logits = new LastLogits([.. answers.Select(judge.Encode)]);
        var weights = new HashedWeights(judge.Weights);
        Session session = place.TakeLargest(judge.Configuration, TokensAtATime, logits.Room, place.Types(judge.Folder));
        session.Load(weights, display.Stage("loading the judge"), cancellation);
        var judgements = new Judgement[answers.Count];
        double share = 0;
        logits.Read(
            session,
            (index, row) =>
            {
                judgements[index] = judge.Judge(row);
                if (judge is GenerativeJudge generative) share += generative.AnswerShare(row) / answers.Count;
            },
            display.Stage("judging"),
            cancellation);
        JsonObject source = Describe(judge, weights.Hash());
        if (judge is GenerativeJudge asked)
        {
            source["answer_share"] = share;
            if (share < LeastAnswerShare)
            {
                notice(
                    $"{selected.Folder}: only {IntervalText.Percent(share)} of its replies' first tokens are ones that {asked.Template.Name} knows; "
                    + "its scores weigh those alone");
            }
        }
        return new JudgeResult(selected.Folder, judge.Kind, judge.Labels, judge.Threshold, judgements, source);
    }

    private static JsonObject Describe(ModelJudge judge, string hash)
    {
        var source = new JsonObject
        {
            ["judge"] = Path.GetFullPath(judge.Folder.Path),
            ["kind"] = judge.Kind,
            ["hash"] = hash,
            ["threshold"] = judge.Threshold,
        };
        if (judge is not GenerativeJudge generative) return source;
        JudgeTemplate template = generative.Template;
        source["template"] = new JsonObject { ["name"] = template.Name, ["source"] = template.Source, ["license"] = template.License };
        return source;
    }
}
