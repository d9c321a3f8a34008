using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>A module that an adapter changes.</summary>
/// <param name="Layer">From 0.</param>
/// <param name="Module">The linear module.</param>
/// <param name="Rank">Its own rank.</param>
/// <param name="RepeatsRank">rank_pattern names it, with the rank that it has anyway.</param>
/// <param name="Alpha">Its own alpha.</param>
/// <param name="Scale">The factor of B A.</param>
internal readonly record struct AdapterTarget(int Layer, LinearModule Module, int Rank, bool RepeatsRank, double Alpha, double Scale)
{
    /// <summary>Its path: model.layers.0.self_attn.q_proj.</summary>
    public string Path => WeightNames.Module(Layer, Module);
}

/// <summary>
/// Finds the modules that adapter_config.json names, with their ranks and alphas, by the rules of peft 0.21.2 (check_target_module_exists
/// and get_pattern_key). A pattern is a regular expression on the module's path, model.layers.0.self_attn.q_proj.
/// </summary>
internal sealed class AdapterTargets
{
    private const int MaximumRank = 1 << 16;
    private static readonly TimeSpan LongestResolution = TimeSpan.FromSeconds(10);
    private readonly JsonFields fields;
    private readonly string expected;
    private readonly ModuleNames targets;
    private readonly ModuleNames? excluded;
    private readonly HashSet<int>? layers;
    private readonly List<PythonPattern> layerPatterns;
    private readonly List<(PythonPattern Pattern, int Rank)> ranks;
    private readonly List<(PythonPattern Pattern, double Alpha)> alphas;

    private AdapterTargets(JsonFields fields, ModelFamily family)
    {
        this.fields = fields;
        string[] names = [.. family.Modules.Select(static module => module.Name)];
        expected = $"names of {string.Join(", ", names[..^1])} or {names[^1]}";
        targets = ModuleNames.Read(fields, "target_modules", names) ?? throw fields.Missing("target_modules", expected);
        excluded = ModuleNames.Read(fields, "exclude_modules", names);
        layers = ReadLayers();
        string where = $"{fields.File}: layers_pattern";
        layerPatterns = [.. TextOrTexts("layers_pattern").Select(pattern => PythonPattern.Layer(pattern, where))];
        if (layers is not null && targets.IsPattern) throw Wrong("layers_to_transform", "nothing beside a target_modules of one string");
        ranks = [.. Patterns("rank_pattern", static (inner, name) => inner.WholeNumber(name, 1, MaximumRank))];
        alphas = [.. Patterns("alpha_pattern", Alpha)];
    }

    /// <summary>The modules in the order of computation.</summary>
    /// <param name="fields">Of the file.</param>
    /// <param name="model">Whose modules they are.</param>
    /// <param name="notice">Told in a line each which fields name something that no module has, which peft passes over in silence.</param>
    /// <exception cref="InputException">A field is wrong, or names no module or one that has no adapter here.</exception>
    public static List<AdapterTarget> Resolve(JsonFields fields, ModelConfiguration model, Action<string> notice)
    {
        var targets = new AdapterTargets(fields, model.Family);
        List<AdapterTarget> found = targets.Resolve(model);
        targets.NoteWhatFitsNothing(found, model.LayerCount, notice);
        return found;
    }

    private List<AdapterTarget> Resolve(ModelConfiguration model)
    {
        int rank = fields.WholeNumber("r", 1, MaximumRank);
        double alpha = Alpha(fields, "lora_alpha");
        bool isRankStabilized = fields.Boolean("use_rslora", false);
        foreach (string path in new[] { WeightNames.EmbeddingModule, WeightNames.HeadModule })
        {
            if (IsTarget(path, layer: null))
                throw Wrong("target_modules", $"{expected}, and not {path}: {AdapterFields.Merge}");
        }
        var found = new List<AdapterTarget>();
        var clock = Stopwatch.StartNew();
        for (int layer = 0; layer < model.LayerCount; layer++)
        {
            if (clock.Elapsed > LongestResolution) throw TooLong();
            foreach (LinearModule module in model.Family.Modules)
            {
                string path = WeightNames.Module(layer, module);
                if (!IsTarget(path, layer)) continue;
                int? named = First(ranks, path);
                int own = named ?? rank;
                double ownAlpha = First(alphas, path) ?? alpha;
                found.Add(new AdapterTarget(layer, module, own, named == rank, ownAlpha, ownAlpha / (isRankStabilized ? Math.Sqrt(own) : own)));
            }
        }
        if (found.Count > 0) return found;
        throw Wrong("target_modules", FormattableString.Invariant($"{expected} in the model's {model.LayerCount} layers"));
    }

    private void NoteWhatFitsNothing(List<AdapterTarget> found, int layerCount, Action<string> notice)
    {
        string[] paths = [.. found.Select(static target => target.Path)];
        Note("target_modules", "names", targets.Unused(paths));
        Note("layers_to_transform", "numbers", (layers ?? []).Where(layer => layer >= layerCount).Order()
            .Select(static layer => layer.ToString(CultureInfo.InvariantCulture)));
        Note("rank_pattern", "keys", Unused(ranks.Select(static entry => entry.Pattern)));
        Note("alpha_pattern", "keys", Unused(alphas.Select(static entry => entry.Pattern)));

        IEnumerable<string> Unused(IEnumerable<PythonPattern> patterns)
        {
            var clock = Stopwatch.StartNew();
            foreach (PythonPattern pattern in patterns)
            {
                if (clock.Elapsed > LongestResolution) throw TooLong();
                if (!Array.Exists(paths, pattern.IsMatch)) yield return pattern.Text;
            }
        }

        void Note(string field, string what, IEnumerable<string> unused)
        {
            string[] names = [.. unused];
            if (names.Length == 0) return;
            notice(FormattableString.Invariant(
                $"{fields.File}: {field}: {what} that fit no module of the adapter, and so change nothing, as in peft: {names.Length} ({InputText.Some(names)})"));
        }
    }

    private InputException TooLong() => new($"{fields.File}: finding its modules takes too long");

    private InputException Wrong(string name, string other) => fields.Wrong(name, fields.Find(name)!.Value, other);

    private bool IsTarget(string path, int? layer)
    {
        if (excluded?.Contains(path) is true) return false;
        if (targets.IsPattern || targets.IsWholePath(path)) return targets.Contains(path);
        if (!targets.Contains(path)) return false;
        if (layers is null) return true;
        return layer is { } number && layers.Contains(number)
            && (layerPatterns.Count == 0 || layerPatterns.Exists(pattern => pattern.IsMatch(path)));
    }

    private HashSet<int>? ReadLayers()
    {
        const string name = "layers_to_transform";
        if (fields.Find(name) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Array) return [fields.WholeNumber(name, 0, int.MaxValue)];
        HashSet<int> numbers = [.. value.EnumerateArray().Select(item => fields.WholeNumber(item, name, 0, int.MaxValue))];
        return numbers.Count == 0 ? null : numbers;
    }

    private IReadOnlyList<string> TextOrTexts(string name) => fields.Find(name) switch
    {
        null => [],
        { ValueKind: JsonValueKind.String } text => text.GetString() is { Length: > 0 } pattern ? [pattern] : [],
        _ => fields.Texts(name)!,
    };

    private IEnumerable<(PythonPattern Pattern, T Value)> Patterns<T>(string name, Func<JsonFields, string, T> read)
    {
        if (fields.Fields(name) is not { } inner) yield break;
        foreach (JsonProperty entry in inner.Element.EnumerateObject())
            yield return (PythonPattern.End(entry.Name, $"{fields.File}: {name}"), read(inner, entry.Name));
    }

    private static double Alpha(JsonFields fields, string name) => fields.Number(
        name,
        Adapter.IsAlpha,
        Adapter.AlphaRange);

    /// <summary>The value of the first pattern that fits, in the order of the file.</summary>
    private static T? First<T>(List<(PythonPattern Pattern, T Value)> patterns, string path)
        where T : struct
    {
        foreach ((PythonPattern pattern, T value) in patterns)
        {
            if (pattern.IsMatch(path)) return value;
        }
        return null;
    }

    /// <summary>target_modules or exclude_modules: a list of paths and ends of paths, or one pattern for the whole path.</summary>
    private sealed class ModuleNames
    {
        private const string AllLinear = "all-linear";
        private readonly HashSet<string> names = new(StringComparer.Ordinal);
        private readonly PythonPattern? pattern;

        private ModuleNames(PythonPattern pattern) => this.pattern = pattern;

        private ModuleNames(IEnumerable<string> names) => this.names.UnionWith(names);

        public bool IsPattern => pattern is not null;

        /// <param name="fields">Of the file.</param>
        /// <param name="name">The field.</param>
        /// <param name="linear">What all-linear stands for.</param>
        public static ModuleNames? Read(JsonFields fields, string name, IEnumerable<string> linear)
        {
            if (fields.Find(name) is not { } value) return null;
            if (value.ValueKind != JsonValueKind.String) return new ModuleNames(fields.Texts(name)!);
            string text = value.GetString()!;
            return name == "target_modules" && text.Equals(AllLinear, StringComparison.OrdinalIgnoreCase)
                ? new ModuleNames(linear)
                : new ModuleNames(PythonPattern.Full(text, $"{fields.File}: {name}"));
        }

        public bool IsWholePath(string path) => names.Contains(path);

        /// <summary>The names of a list that are neither one of these paths nor the end of one.</summary>
        public IEnumerable<string> Unused(IEnumerable<string> paths)
        {
            var unused = new HashSet<string>(names, StringComparer.Ordinal);
            foreach (string path in paths) unused.ExceptWith(Ends(path));
            return unused.Order(StringComparer.Ordinal);
        }

        public bool Contains(string path) => pattern?.IsMatch(path) ?? Ends(path).Any(names.Contains);

        /// <summary>The path, and what follows each of its dots.</summary>
        private static IEnumerable<string> Ends(string path)
        {
            yield return path;
            for (int dot = path.IndexOf('.'); dot >= 0; dot = path.IndexOf('.', dot + 1)) yield return path[(dot + 1)..];
        }
    }
}
