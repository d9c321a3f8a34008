using System.CommandLine;
using NativeVaccine.Evaluation;

namespace NativeVaccine.Cli.Options;

/// <summary>A judge that was asked for.</summary>
/// <param name="Folder">Its folder.</param>
/// <param name="Template">How it is asked; null for a classifier.</param>
internal sealed record SelectedJudge(string Folder, JudgeTemplate? Template)
{
    /// <summary>Opens its files.</summary>
    /// <exception cref="InputException">A file is missing or broken, or of no judge.</exception>
    public ModelJudge Open(Action<string> notice) =>
        Template is null ? ClassifierJudge.Open(Folder, notice) : GenerativeJudge.Open(Folder, Template, notice);
}

/// <summary>The options that say which models judge.</summary>
internal sealed class JudgeOptionSet
{
    private const int Most = 2;

    public Option<string[]> Judges { get; } = OptionKinds.Repeated(
        "--judge",
        "DIR",
        "a model that judges, beside the rules: the folder of a classifier such as beaver-dam-7b, or of a causal model that is asked by "
        + "--judge-template; two may be given, and their agreement is computed");

    public Option<string[]> Templates { get; } = OptionKinds.Repeated(
        "--judge-template",
        string.Join('|', JudgeTemplate.Known.Select(static template => template.Name)) + "|FILE",
        "how a causal model is asked; FILE is JSON with template, positive and negative; in the order of such judges");

    public IEnumerable<Option> All => [Judges, Templates];

    /// <summary>What was given.</summary>
    /// <exception cref="InputException">There are too many judges, a template too few or too many, or one is unknown.</exception>
    public List<SelectedJudge> Read(ParseResult parsed)
    {
        string[] folders = parsed.GetValue(Judges)!;
        string verb = ParseErrors.NameOf(parsed);
        if (folders.Length > Most) throw new InputException($"{verb}: {folders.Length} judges: expected at most {Most}");
        var templates = new Queue<string>(parsed.GetValue(Templates)!);
        var judges = new List<SelectedJudge>();
        foreach (string folder in folders)
        {
            JudgeTemplate? template = null;
            if (!ClassifierJudge.IsClassifier(folder))
            {
                if (!templates.TryDequeue(out string? name))
                    throw new InputException($"{verb}: {folder} is no classifier: expected --judge-template, by which it is asked");
                template = JudgeTemplate.Open(name);
            }
            var judge = new SelectedJudge(folder, template);
            // What cannot be used is refused before a model has written answers for it.
            using (judge.Open(static _ => { })) judges.Add(judge);
        }
        return templates.Count == 0 ? judges : throw new InputException($"{verb}: --judge-template {templates.Peek()} has no --judge that needs it");
    }
}
