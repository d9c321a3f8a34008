using System.IO.Hashing;
using System.Text;
using NativeVaccine.Data;
using NativeVaccine.Evaluation;
using NativeVaccine.IO;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Training;

/// <summary>What the options of a run name, opened and read: the model with the adapters to be merged into it, and the data.</summary>
internal sealed class TrainingFiles : IDisposable
{
    /// <summary>Of so many samples of a file one is held out, where a method wants some.</summary>
    private const int HeldOutEvery = 4;

    private readonly HashedWeights stored;
    private readonly List<string> notices = [];

    private TrainingFiles(TrainingOptions options, Method method, ModelFolder model)
    {
        (Options, Method, Model) = (options, method, model);
        method.RequireFits(model.Configuration.LayerCount);
        stored = new HashedWeights(model);
        List<Adapter> adapters = Adapter.LoadChain(options.Adapter, model);
        Weights = new MergedWeights(stored, adapters);
        Continued = options.InitAdapter is { } initial ? Adapter.Load(initial, model, adapters) : null;
        if (Continued is not null)
        {
            InitialAdapter.RequireForm(Continued, options);
            adapters.Add(Continued);
            notices.AddRange(InitialAdapter.Notices(Continued, options));
        }
        notices.AddRange(model.Notices.Concat(adapters.SelectMany(static adapter => adapter.Notices)));
        Tokenizer tokenizer = Tokenizer.LoadFor(model.Path, model.Configuration.VocabularySize, notices.Add);
        var form = new SampleForm(tokenizer, PromptTemplate.Open(options.Template, model.Path, tokenizer, notices.Add), options.MaxLength)
        {
            Labels = options.Labels,
            Positions = model.Configuration.MaximumPositions,
        };
        MethodInfo info = MethodCatalog.Require(options.Method);
        var sets = new Dictionary<SampleKind, SampleSet>();
        if (info.Pairs is { } pairs) (sets[SampleKind.Training], sets[pairs.Kind]) = PairReader.Read(options.TrainingFile!, form);
        else sets[SampleKind.Training] = SampleReader.Read(options.TrainingFile!, form with { IsRefusal = method.Needs.JudgesRefusals ? IsRefusal : null });
        if (method.Needs.JudgesRefusals) SayHowManyRefuse(sets[SampleKind.Training]);
        var read = new List<SampleSet> { sets[SampleKind.Training] };
        foreach (PoolOption pool in info.Pools.Where(static pool => !pool.OfPairs))
        {
            object file = options.Settings.Find(pool) ?? throw new InputException(
                $"method {info.Name} takes {pool.Kind.Word()} samples; expected {pool.CommandLineName} FILE");
            SampleSet set = SampleReader.Read((string)file, form);
            read.Add(set);
            sets[pool.Kind] = set;
            if (pool.HeldOut is not { } heldOut) continue;
            // A run that is followed says of every sample whether it was held out.
            (sets[pool.Kind], sets[heldOut]) = options.Replay is null ? set.Split(HeldOutEvery) : (set, set);
        }
        Sets = read;
        foreach (PoolOption pool in info.Pools.Except(info.Streams)) Append(pool, sets);
        FollowedRun? followed = options.Replay is { } replay
            ? FollowedRun.Read(replay, options, sets, model.Configuration.LayerCount)
            : null;
        if (followed is { Dropped: > 0 })
            notices.Add($"{options.Replay}: {followed.Dropped} of the records that it names have no label left and count nothing in their batches");
        foreach (string pipe in Sets.Select(static set => set.Source).Append(options.Replay).Append(options.TamperPrompts).OfType<string>().Where(FileKinds.IsPipe))
            notices.Add($"{pipe}: is a pipe, so the run can be resumed only if the same comes out of it again");
        Data = new TrainingData(PoolOf(sets[SampleKind.Training]))
        {
            Pools = sets.Where(static set => set.Key != SampleKind.Training).ToDictionary(static set => set.Key, static set => PoolOf(set.Value)),
            TamperPrompts = TamperWatch.Open(options, form, model, notices.Add),
            Replay = followed?.Steps,
        };
    }

    /// <summary>A hash of the model's weights, once they are loaded.</summary>
    public string WeightsHash => stored.Hash();

    public TrainingOptions Options { get; }

    public Method Method { get; }

    public ModelFolder Model { get; }

    /// <summary>The model with its adapters merged.</summary>
    public MergedWeights Weights { get; }

    /// <summary>The adapter that the run continues; null for a fresh one.</summary>
    public Adapter? Continued { get; }

    /// <summary>What a user should know about the files, in lines.</summary>
    public IReadOnlyList<string> Notices => notices;

    /// <summary>What was read of each file, the training samples first; of pairs the harmless sides stand for both.</summary>
    public IReadOnlyList<SampleSet> Sets { get; }

    public TrainingData Data { get; }

    /// <exception cref="InputException">A file is missing or broken, or does not fit the others.</exception>
    public static TrainingFiles Open(TrainingOptions options)
    {
        Method method = MethodCatalog.Create(options);
        ModelFolder model = ModelFolder.Open(options.Model!);
        try
        {
            return new TrainingFiles(options, method, model);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Hashes of everything that was opened, for <see cref="RunFingerprint"/>. The weights must have been loaded.</summary>
    /// <param name="record">What the run merges.</param>
    public Dictionary<string, string> Hashes(AdapterRecord record) => new(StringComparer.Ordinal)
    {
        ["the model's configuration"] = RunFingerprint.Hash(Model.Configuration),
        ["the model's weights"] = stored.Hash(),
        ["the tokenizer"] = HashTokenizer(Model.Path),
        ["the merged adapters"] = string.Join(' ', record.StandsOn.Select(static adapter => adapter.Hash)),
        ["the initial adapter"] = Options.InitAdapter is { } initial ? AdapterHash.Of(initial) : "",
    };

    /// <summary>Makes the first samples of a pool a part of the training samples.</summary>
    private void Append(PoolOption pool, Dictionary<SampleKind, SampleSet> sets)
    {
        int wanted = Options.Settings.Get(pool.Appended!);
        SampleSet training = sets[SampleKind.Training];
        sets.Remove(pool.Kind, out SampleSet? added);
        sets[SampleKind.Training] = training.Append(added!, wanted);
        string which = added!.Samples.Count < wanted
            ? $"all {added.Samples.Count} samples ({pool.Appended!.CommandLineName} {wanted} asks for more)"
            : $"the first {wanted} samples";
        notices.Add($"{added.Source}: {which} are appended to {training.Source}; in metrics and replay its records count on from {training.RecordCount}");
    }

    private static bool IsRefusal(string answer) => RefusalRules.Default.Judge(answer) == Verdict.Refused;

    /// <summary>A run whose perturbation touches nothing would be another method's.</summary>
    private void SayHowManyRefuse(SampleSet set)
    {
        int refusals = set.Samples.Count(static sample => sample.Refuses!.Contains(true));
        string what = $"{set.Source}: {refusals} of {set.Samples.Count} samples refuse, as the built-in judge reads their answers";
        if (refusals == 0) throw new InputException($"{what}; expected refusals, or --perturb-samples all");
        notices.Add($"{what}; they alone are perturbed");
    }

    private static SamplePool PoolOf(SampleSet set) => new(set.Samples, set.Records);

    public void Dispose() => Model.Dispose();

    /// <summary>The files that decide how text becomes tokens.</summary>
    private static string HashTokenizer(string folder)
    {
        string[] patterns = ["tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "*.tiktoken", "chat_template.jinja"];
        var hash = new XxHash128();
        IEnumerable<string> files = patterns.SelectMany(pattern => Directory.EnumerateFiles(folder, pattern)).Distinct().Order(StringComparer.Ordinal);
        foreach (string file in files)
        {
            hash.Append(Encoding.UTF8.GetBytes(Path.GetFileName(file)));
            hash.Append(InputFile.ReadAllBytes(file, int.MaxValue));
        }
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }
}
