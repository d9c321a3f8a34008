using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// What config.json says about rotary embedding. Where its old fields (rope_theta, rope_scaling) and its new one (rope_parameters)
/// disagree, that counts which counts in transformers 5.23, and a notice says so.
/// </summary>
/// <param name="Global">Of all layers, or of those without a window.</param>
/// <param name="Local">Of layers with a window, where that is another one.</param>
internal sealed record RopeReader(RotaryEmbedding Global, RotaryEmbedding? Local)
{
    /// <summary>The field of transformers 4, beside <see cref="ThetaName"/>.</summary>
    public const string OldName = "rope_scaling";

    /// <summary>The field of transformers 5.</summary>
    public const string NewName = "rope_parameters";

    /// <summary>The base of the angles.</summary>
    public const string ThetaName = "rope_theta";

    private const string LocalThetaName = "rope_local_base_freq";
    private const string TypeName = "rope_type";
    private const string OldTypeName = "type";
    private const string AsElsewhere = "as in transformers 5.23";
    private const string OriginalPositions = "original_max_position_embeddings";

    private static readonly HashSet<string> KnownFields = new(StringComparer.Ordinal)
    {
        ThetaName, TypeName, OldTypeName, "factor", "low_freq_factor", "high_freq_factor", OriginalPositions, "partial_rotary_factor",
    };

    /// <param name="fields">The whole of config.json.</param>
    /// <param name="family">What counts where fields are missing, and whether there are two embeddings.</param>
    /// <param name="notice">Told in a line what was resolved and what is not known.</param>
    /// <exception cref="InputException">A field is wrong or asks for what is not there.</exception>
    public static RopeReader Read(JsonFields fields, ModelFamily family, Action<string>? notice)
    {
        RequireWhole(fields);
        JsonFields? old = NotEmpty(fields.Fields(OldName));
        JsonFields? current = NotEmpty(fields.Fields(NewName));
        if (family.LocalRopeTheta is { } local) return ReadPair(fields, family.RopeTheta, local, old, current, notice);
        var theta = new ThetaField(ThetaName, family.RopeTheta);
        RotaryEmbedding effective = Read(fields, old ?? current, theta);
        if (old is not null && current is not null && Read(fields, current, theta) != effective)
            notice?.Invoke($"{fields.File}: {OldName} and {NewName} disagree; {OldName} counts, {AsElsewhere}");
        else if (old is null && current is { } rope) NoteOtherTheta(fields, rope, theta, effective, notice);
        NoteFields(old ?? current, notice);
        return new(effective, null);
    }

    /// <summary>
    /// A rotary embedding for each kind of layer: one under each kind's name in rope_parameters, or rope_local_base_freq for layers with a
    /// window, which are not stretched, and rope_theta and rope_scaling for the others.
    /// </summary>
    private static RopeReader ReadPair(
        JsonFields fields, double globalTheta, double localTheta, JsonFields? old, JsonFields? current, Action<string>? notice)
    {
        var (global, local) = (new ThetaField(ThetaName, globalTheta), new ThetaField(LocalThetaName, localTheta));
        if (current is not { } both)
        {
            NoteFields(old, notice);
            return new(Read(fields, old, global), Read(fields, null, local));
        }
        if (old is not null) throw fields.Wrong(OldName, fields.Find(OldName)!.Value, $"nothing beside {NewName}");
        const string expected = $"{SlidingWindowReader.Full} and {SlidingWindowReader.Windowed}, one for each kind of layer";
        foreach (JsonProperty field in both.Element.EnumerateObject())
        {
            if (field.Name is not (SlidingWindowReader.Full or SlidingWindowReader.Windowed))
                throw both.Wrong(InputText.Shorten(field.Name), field.Value, expected);
        }
        return new(OfKind(SlidingWindowReader.Full, global), OfKind(SlidingWindowReader.Windowed, local));

        RotaryEmbedding OfKind(string kind, ThetaField theta)
        {
            JsonFields? own = both.Fields(kind);
            RotaryEmbedding rope = Read(fields, own, theta);
            if (own is { } given) NoteOtherTheta(fields, given, theta, rope, notice);
            NoteFields(own, notice);
            return rope;
        }
    }

    private static void NoteOtherTheta(
        JsonFields fields, JsonFields rope, ThetaField theta, RotaryEmbedding effective, Action<string>? notice)
    {
        if (!rope.Has(ThetaName) || !fields.Has(theta.Name) || theta.Read(fields) == effective.Theta) return;
        notice?.Invoke($"{fields.File}: {theta.Name} and {rope.Prefix}{ThetaName} disagree; that of {NewName} counts, {AsElsewhere}");
    }

    private static void NoteFields(JsonFields? rope, Action<string>? notice)
    {
        if (rope is not { } used) return;
        if (used.Has(TypeName) && used.Has(OldTypeName) && used.Text(TypeName) != used.Text(OldTypeName))
            notice?.Invoke($"{used.File}: {used.Prefix}{TypeName} and {OldTypeName} disagree; {TypeName} counts, {AsElsewhere}");
        if (ConfigurationFields.NoticeOfUnknown(used, KnownFields.Contains) is { } unknown) notice?.Invoke(unknown);
    }

    /// <param name="fields">The whole of config.json.</param>
    /// <param name="holder">The object that describes the embedding; null for a plain one.</param>
    /// <param name="theta">What counts where that has no base.</param>
    private static RotaryEmbedding Read(JsonFields fields, JsonFields? holder, ThetaField theta)
    {
        double value = holder is { } own && own.Has(ThetaName) ? new ThetaField(ThetaName, theta.Default).Read(own) : theta.Read(fields);
        return new(value, holder is { } rope ? ReadScaling(fields, rope) : RopeScaling.None);
    }

    private static JsonFields? NotEmpty(JsonFields? fields) => fields is { } some && some.Element.EnumerateObject().Any() ? some : null;

    private static void RequireWhole(JsonFields holder)
    {
        const string name = "partial_rotary_factor";
        if (holder.Number(name, static value => value is > 0 and <= 1, "a number up to 1", 1) < 1)
            throw holder.Wrong(name, "less than 1", "1: every head turned whole");
    }

    private static RopeScaling ReadScaling(JsonFields fields, JsonFields rope)
    {
        RequireWhole(rope);
        foreach (JsonProperty field in rope.Element.EnumerateObject())
        {
            if (field.Value.ValueKind == JsonValueKind.Object)
                throw rope.Wrong(InputText.Shorten(field.Name), field.Value, "no object: the same rotary embedding in every layer");
        }
        string kindField = rope.Has(TypeName) ? TypeName : OldTypeName;
        string kind = rope.Text(kindField) ?? "default";
        return kind switch
        {
            "default" => RopeScaling.None,
            "linear" => new RopeScaling(RopeScalingKind.Linear, Factor(rope)),
            "llama3" => ReadLlama3(fields, rope),
            _ => throw rope.Wrong(kindField, InputText.Quote(kind), "default, linear or llama3"),
        };
    }

    private static RopeScaling ReadLlama3(JsonFields fields, JsonFields rope)
    {
        double low = rope.Number("low_freq_factor", static value => value > 0, "a positive number");
        double high = rope.Number("high_freq_factor", value => value > low, "a number greater than low_freq_factor");
        int original = rope.WholeNumber(OriginalPositions, 1, int.MaxValue);
        if (fields.WholeNumber(OriginalPositions, 1, int.MaxValue, original) != original)
            throw fields.Wrong(OriginalPositions, fields.Find(OriginalPositions)!.Value, $"the same as {rope.Prefix}{OriginalPositions}");
        return new RopeScaling(RopeScalingKind.Llama3, Factor(rope), low, high, original);
    }

    private static double Factor(JsonFields rope) => rope.Number("factor", static value => value >= 1, "a number from 1");

    /// <summary>A field with the base of the angles, and what it is where it is missing.</summary>
    private readonly record struct ThetaField(string Name, double Default)
    {
        public double Read(JsonFields holder) => holder.Number(Name, static value => value > 0, "a positive number", Default);
    }
}
