using System.Globalization;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.Evaluation;
using Spectre.Console;

namespace NativeVaccine.Cli.Commands;

/// <summary>An answer with its question; with the whole prompt where it was made now.</summary>
/// <param name="Record">Question and answer.</param>
/// <param name="Prompt">The prompt; null where it is not known.</param>
internal sealed record GivenAnswer(AlpacaRecord Record, string? Prompt);

/// <summary>What the rules and the judges say of a set of answers, for people and for other programs.</summary>
/// <param name="answers">The answers.</param>
/// <param name="score">The rules' verdicts.</param>
/// <param name="judges">The judges' results; none for the rules alone.</param>
internal sealed class HarmfulReport(GivenAnswer[] answers, HarmfulScore score, JudgeResult[] judges)
{
    /// <summary>Scores are in percent, as papers print them.</summary>
    private const double Scale = 100;

    private static readonly Verdict[] Verdicts = Enum.GetValues<Verdict>();

    /// <summary>What the rules take for harmful: what is answered.</summary>
    private readonly bool[] answered = [.. score.Verdicts.Select(static verdict => verdict == Verdict.Answered)];

    /// <summary>What the score is of: the first judge's verdicts, or the rules'.</summary>
    private IReadOnlyList<bool> Harmful => judges.Length > 0 ? judges[0].Harmful : answered;

    /// <summary>The result for other programs.</summary>
    /// <param name="source">Where it is from.</param>
    public JsonObject ToJson(JsonObject source)
    {
        var json = new JsonObject
        {
            ["harmful_score"] = Scale * Share(Harmful),
            ["harmful_interval"] = Bootstrap.OfShare(Harmful).ToJson(Scale),
            ["count"] = answers.Length,
            ["verdicts"] = new JsonObject(Verdicts.Select(verdict => KeyValuePair.Create(NameOf(verdict), (JsonNode?)score.Count(verdict)))),
            ["verdict_intervals"] = new JsonObject(Verdicts.Select(verdict =>
                KeyValuePair.Create(NameOf(verdict), (JsonNode?)Bootstrap.OfShare(score.Verdicts.Select(one => one == verdict)).ToJson(Scale)))),
            ["intervals"] = IntervalText.Method(),
        };
        if (judges.Length > 0)
        {
            json["judges"] = new JsonArray([.. judges.Select(static judge => (JsonNode)ToJson(judge))]);
            json["agreement"] = new JsonArray([.. Pairs().Select(static pair => (JsonNode)ToJson(pair))]);
        }
        if (Categories().Any())
        {
            json["categories"] = new JsonObject(
                Categories().Select(category => KeyValuePair.Create(category.Name, (JsonNode?)ToJson(category.Indices))));
        }
        json["source"] = source;
        json["samples"] = new JsonArray([.. answers.Select((_, index) => (JsonNode)Sample(index))]);
        return json;
    }

    /// <summary>The result for people.</summary>
    public void Write(Terminal terminal)
    {
        terminal.Write(VerdictTable());
        if (judges.Length > 0) terminal.Write(JudgeTable());
        foreach (Pair pair in Pairs())
        {
            string kappa = string.Create(
                CultureInfo.InvariantCulture, $"Cohen's kappa {pair.Kappa:F2} ({pair.Interval.Low:F2} to {pair.Interval.High:F2})");
            terminal.WriteText($"{pair.First} and {pair.Second} agree on {IntervalText.Percent(pair.Observed)}, {kappa}");
        }
        if (Categories().Any()) terminal.Write(CategoryTable());
    }

    private Table VerdictTable()
    {
        Table table = NewTable("verdict", "answers", "share", "95 % interval");
        foreach (Verdict verdict in Verdicts)
        {
            string name = verdict == Verdict.Answered ? "answered (harmful)" : NameOf(verdict);
            table.AddRow(
                name,
                score.Count(verdict).ToString(CultureInfo.InvariantCulture),
                IntervalText.Percent((double)score.Count(verdict) / answers.Length),
                IntervalText.Percent(Bootstrap.OfShare(score.Verdicts.Select(one => one == verdict))));
        }
        string by = judges.Length > 0 ? " by the rules" : "";
        return table.Caption($"harmful score{by} {IntervalText.Percent(Share(answered))} of {answers.Length} questions");
    }

    private Table JudgeTable()
    {
        Table table = NewTable("judge", "harmful", "score", "95 % interval");
        foreach (JudgeResult judge in judges)
        {
            table.AddRow(
                Markup.Escape(judge.Name),
                judge.Harmful.Count(static harmful => harmful).ToString(CultureInfo.InvariantCulture),
                IntervalText.Percent(Share(judge.Harmful)),
                IntervalText.Percent(Bootstrap.OfShare(judge.Harmful)));
        }
        return table.Caption($"harmful score {IntervalText.Percent(Share(Harmful))} of {answers.Length} questions, by the first judge");
    }

    private Table CategoryTable()
    {
        Table table = NewTable("category", "answers", "harmful", "95 % interval");
        foreach ((string name, int[] indices) in Categories())
        {
            bool[] harmful = [.. indices.Select(index => Harmful[index])];
            table.AddRow(
                Markup.Escape(name),
                indices.Length.ToString(CultureInfo.InvariantCulture),
                IntervalText.Percent(Share(harmful)),
                IntervalText.Percent(Bootstrap.OfShare(harmful)));
        }
        return table;
    }

    private static Table NewTable(string first, params string[] others)
    {
        Table table = new Table().AddColumn(first);
        foreach (string name in others) table.AddColumn(new TableColumn(name).RightAligned());
        return table;
    }

    private static JsonObject ToJson(JudgeResult judge)
    {
        var json = new JsonObject
        {
            ["harmful_score"] = Scale * Share(judge.Harmful),
            ["harmful_interval"] = Bootstrap.OfShare(judge.Harmful).ToJson(Scale),
            ["flagged"] = judge.Harmful.Count(static harmful => harmful),
            ["mean_score"] = judge.Judgements.Average(static judgement => judgement.Score),
        };
        if (judge.Labels.Count > 0)
        {
            json["labels"] = new JsonObject(judge.Labels.Select((label, i) => KeyValuePair.Create(
                label, (JsonNode?)judge.Judgements.Count(judgement => judgement.Probabilities[i] > judge.Threshold))));
        }
        foreach ((string name, JsonNode? value) in judge.Source) json[name] = value?.DeepClone();
        return json;
    }

    private static JsonObject ToJson(Pair pair) => new()
    {
        ["judges"] = new JsonArray(pair.First, pair.Second),
        ["observed"] = pair.Observed,
        ["kappa"] = JsonValues.Number(pair.Kappa),
        ["kappa_interval"] = pair.Interval.ToJson(),
    };

    private JsonObject ToJson(int[] indices)
    {
        bool[] harmful = [.. indices.Select(index => Harmful[index])];
        var json = new JsonObject
        {
            ["count"] = indices.Length,
            ["harmful_score"] = Scale * Share(harmful),
            ["harmful_interval"] = Bootstrap.OfShare(harmful).ToJson(Scale),
        };
        foreach (Verdict verdict in Verdicts) json[NameOf(verdict)] = indices.Count(index => score.Verdicts[index] == verdict);
        return json;
    }

    private JsonObject Sample(int index)
    {
        (AlpacaRecord record, string? prompt) = answers[index];
        var json = new JsonObject
        {
            ["instruction"] = record.Instruction,
            ["input"] = record.Input,
            ["output"] = record.Output,
            ["verdict"] = NameOf(score.Verdicts[index]),
        };
        if (record.Categories.Count > 0) json["category"] = new JsonArray([.. record.Categories.Select(static name => (JsonNode)name)]);
        if (judges.Length > 0) json["judgements"] = new JsonArray([.. judges.Select(judge => (JsonNode)ToJson(judge, judge.Judgements[index]))]);
        if (prompt is null) return json;
        json["prompt"] = prompt;
        json["text"] = record.Output;
        return json;
    }

    private static JsonObject ToJson(JudgeResult judge, Judgement judgement)
    {
        var json = new JsonObject { ["harmful"] = judgement.IsHarmful, ["score"] = judgement.Score };
        if (judge.Labels.Count > 0)
        {
            json["probabilities"] = new JsonObject(
                judge.Labels.Select((label, i) => KeyValuePair.Create(label, (JsonNode?)judgement.Probabilities[i])));
        }
        return json;
    }

    private IEnumerable<(string Name, int[] Indices)> Categories() => answers
        .SelectMany(static (answer, index) => answer.Record.Categories.Distinct().Select(name => (Name: name, Index: index)))
        .GroupBy(static one => one.Name, static one => one.Index)
        .OrderBy(static group => group.Key, StringComparer.Ordinal)
        .Select(static group => (group.Key, group.ToArray()));

    /// <summary>Every two of the rules and the judges.</summary>
    private IEnumerable<Pair> Pairs()
    {
        if (judges.Length == 0) yield break;
        (string Name, IReadOnlyList<bool> Harmful)[] all = [.. judges.Select(static judge => (judge.Name, judge.Harmful)), ("the rules", answered)];
        for (int i = 0; i < all.Length; i++)
        {
            for (int j = i + 1; j < all.Length; j++)
            {
                (IReadOnlyList<bool> one, IReadOnlyList<bool> other) = (all[i].Harmful, all[j].Harmful);
                Interval interval = Bootstrap.Of(one.Count, drawn => Agreement.Kappa(
                    [.. drawn.Select(index => one[index])], [.. drawn.Select(index => other[index])]));
                yield return new Pair(all[i].Name, all[j].Name, Agreement.Observed(one, other), Agreement.Kappa(one, other), interval);
            }
        }
    }

    private static double Share(IReadOnlyList<bool> harmful) => (double)harmful.Count(static one => one) / harmful.Count;

    private static string NameOf(Verdict verdict) => verdict switch
    {
        Verdict.Refused => "refused",
        Verdict.Answered => "answered",
        _ => "degenerate",
    };

    private sealed record Pair(string First, string Second, double Observed, double Kappa, Interval Interval);
}
