namespace NativeVaccine.Training;

/// <summary>
/// The adapters that are merged into a model, each on top of those before it. An adapter that was trained on top of others means nothing
/// without them, so they are added where they were not given, and another chain is refused.
/// </summary>
public static class AdapterChain
{
    /// <summary>The whole chain of some adapters.</summary>
    /// <param name="given">Folders of adapters, in the order in which they are merged.</param>
    /// <param name="notice">Receives a line for every adapter whose base is added.</param>
    /// <param name="initial">An adapter that goes on training on top of the chain and is not part of it; null for none.</param>
    /// <returns>The given adapters, with those that they stand on before them.</returns>
    /// <exception cref="InputException">One stands on others than are given before it, or on what is missing or has changed.</exception>
    public static IReadOnlyList<string> Complete(IReadOnlyList<string> given, Action<string>? notice = null, string? initial = null)
    {
        var chain = new List<string>();
        var added = new HashSet<string>(StringComparer.Ordinal);
        foreach (string adapter in given)
        {
            if (AdapterRecord.Find(adapter) is { } record) PutBaseUnder(adapter, record, chain, added, notice);
            else if (added.Contains(Path.GetFullPath(adapter))) throw TooLate(adapter, chain[^1]);
            chain.Add(adapter);
        }
        if (initial is not null && AdapterRecord.Find(initial) is { } begun) PutBaseUnder(initial, begun, chain, added, notice);
        return chain;
    }

    /// <summary>Whether one of some adapters says on which weights it was trained.</summary>
    public static bool KnowsItsModel(IEnumerable<string> adapters) => adapters.Any(static adapter => AdapterRecord.Find(adapter)?.ModelHash is not null);

    /// <summary>Says which adapters were trained on another model than they are used with.</summary>
    /// <param name="adapters">Folders of adapters.</param>
    /// <param name="model">The model's folder.</param>
    /// <param name="hash">Of its weights, all of which were read.</param>
    /// <param name="notice">Receives a line for every such adapter.</param>
    public static void NoteOtherModel(IEnumerable<string> adapters, string model, string hash, Action<string>? notice)
    {
        foreach (string adapter in adapters)
        {
            if (AdapterRecord.Find(adapter) is not { ModelHash: { } expected } record || expected == hash) continue;
            string where = record.Model is null || record.Model == Path.GetFullPath(model) ? "as it was then" : record.Model;
            notice?.Invoke($"adapter {adapter} was trained on other weights than those of {model}; expected the model {where}");
        }
    }

    private static void PutBaseUnder(
        string adapter, AdapterRecord record, List<string> chain, HashSet<string> added, Action<string>? notice)
    {
        IReadOnlyList<BaseAdapter> bases = record.StandsOn;
        for (int i = 0; i < chain.Count; i++)
        {
            if (i < bases.Count && AdapterHash.Of(chain[i]) == bases[i].Hash) continue;
            if (added.Contains(Path.GetFullPath(adapter))) throw TooLate(adapter, chain[^1]);
            throw Refusal(adapter, bases, chain, i);
        }
        string[] missing = [.. bases.Skip(chain.Count).Select(needed => Find(adapter, needed))];
        if (missing.Length == 0) return;
        chain.AddRange(missing);
        added.UnionWith(missing.Select(Path.GetFullPath));
        string which = missing.Length == 1 ? "which is added before it" : "which are added before it, in this order";
        notice?.Invoke($"adapter {adapter} stands on {string.Join(", ", missing)}, {which}");
    }

    /// <summary>Looks beside the adapter first, so that runs may be moved together, and then where it was.</summary>
    private static string Find(string adapter, BaseAdapter needed)
    {
        string[] places = [.. Places(adapter, needed).Distinct(StringComparer.Ordinal)];
        string? changed = null;
        foreach (string place in places.Where(Directory.Exists))
        {
            if (AdapterHash.Of(place) == needed.Hash) return place;
            changed ??= place;
        }
        throw new InputException(changed is not null
            ? $"adapter {adapter} stands on {changed}, which has changed since; expected it as it was, given before it with --adapter"
            : $"adapter {adapter} stands on {string.Join(" or ", places)}, which is not there; expected it before this one with --adapter");
    }

    private static IEnumerable<string> Places(string adapter, BaseAdapter needed)
    {
        yield return Shown(Path.Combine(adapter, needed.RelativePath), adapter);
        if (LinkTarget(adapter) is { } target) yield return Shown(Path.Combine(target, needed.RelativePath), adapter);
        yield return Shown(needed.Path, adapter);
    }

    /// <summary>A path is shown as people gave theirs: seen from here where that was.</summary>
    private static string Shown(string path, string like)
    {
        string full = Path.GetFullPath(path);
        return Path.IsPathRooted(like) ? full : Path.GetRelativePath(Directory.GetCurrentDirectory(), full);
    }

    private static string? LinkTarget(string folder)
    {
        try
        {
            return new DirectoryInfo(folder).ResolveLinkTarget(returnFinalTarget: true)?.FullName;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static InputException TooLate(string adapter, string after) =>
        new($"adapter {adapter} is given after {after}, which stands on it; expected it before, or {after} alone");

    private static InputException Refusal(string adapter, IReadOnlyList<BaseAdapter> bases, List<string> chain, int place)
    {
        if (place < bases.Count && bases[place].Path == Path.GetFullPath(chain[place]))
            return new InputException($"adapter {adapter} stands on {chain[place]}, which has changed since; expected it as it was");
        string expected = bases.Count == 0 ? "the model itself" : string.Join(", ", bases.Select(static needed => needed.Path));
        string found = string.Join(", ", chain);
        return new InputException(
            $"adapter {adapter} stands on {expected}, but {found} would be before it; expected {adapter} alone, or its own chain");
    }
}
