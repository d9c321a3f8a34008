using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// What config.json says about rotary embedding. Where its old fields (rope_theta, rope_scaling) and its new one (rope_parameters)
/// disagree, that counts which counts in transformers 5.23, and a notice says so.
/// </summary>
/// <param name="Theta">Base of the angles.</param>
/// <param name="Scaling">How they are stretched.</param>
internal sealed record RopeReader(double Theta, RopeScaling Scaling)
{
    private const double DefaultTheta = 10000;
    private const string OldName = "rope_scaling";
    private const string NewName = "rope_parameters";
    private const string ThetaName = "rope_theta";
    private const string TypeName = "rope_type";
    private const string OldTypeName = "type";
    private const string AsElsewhere = "as in transformers 5.23";
    private const string OriginalPositions = "original_max_position_embeddings";

    private static readonly HashSet<string> KnownFields = new(StringComparer.Ordinal)
    {
        ThetaName, TypeName, OldTypeName, "factor", "low_freq_factor", "high_freq_factor", OriginalPositions, "partial_rotary_factor",
    };

    /// <param name="fields">The whole of config.json.</param>
    /// <param name="notice">Told in a line what was resolved and what is not known.</param>
    /// <exception cref="InputException">A field is wrong or asks for what is not there.</exception>
    public static RopeReader Read(JsonFields fields, Action<string>? notice)
    {
        RequireWhole(fields);
        JsonFields? old = NotEmpty(fields.Fields(OldName));
        JsonFields? current = NotEmpty(fields.Fields(NewName));
        RopeReader effective = Read(fields, old ?? current);
        if (old is not null && current is not null && Read(fields, current) != effective)
            notice?.Invoke($"{fields.File}: {OldName} and {NewName} disagree; {OldName} counts, {AsElsewhere}");
        else if (old is null && current is { } rope && rope.Has(ThetaName) && fields.Has(ThetaName) && ReadTheta(fields) != effective.Theta)
            notice?.Invoke($"{fields.File}: {ThetaName} and {NewName}.{ThetaName} disagree; that of {NewName} counts, {AsElsewhere}");
        if ((old ?? current) is not { } used) return effective;
        if (used.Has(TypeName) && used.Has(OldTypeName) && used.Text(TypeName) != used.Text(OldTypeName))
            notice?.Invoke($"{fields.File}: {used.Prefix}{TypeName} and {OldTypeName} disagree; {TypeName} counts, {AsElsewhere}");
        if (ConfigurationFields.NoticeOfUnknown(used, KnownFields.Contains) is { } unknown) notice?.Invoke(unknown);
        return effective;
    }

    private static RopeReader Read(JsonFields fields, JsonFields? holder)
    {
        double theta = holder is { } own && own.Has(ThetaName) ? ReadTheta(own) : ReadTheta(fields);
        return new RopeReader(theta, holder is { } rope ? ReadScaling(fields, rope) : RopeScaling.None);
    }

    private static JsonFields? NotEmpty(JsonFields? fields) => fields is { } some && some.Element.EnumerateObject().Any() ? some : null;

    private static double ReadTheta(JsonFields holder) =>
        holder.Number(ThetaName, static value => value > 0, "a positive number", DefaultTheta);

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
}
