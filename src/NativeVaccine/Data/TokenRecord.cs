using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Data;

/// <summary>
/// Reads a record of ready tokens: <c>input_ids</c>, <c>labels</c>, and <c>attention_mask</c> and <c>position_ids</c> as far as packing can
/// express them. Padding at either end is cut off; where positions begin again at 0, a new part begins, which does not see those before.
/// </summary>
internal static class TokenRecord
{
    /// <summary>The parts of a record; none if all of it is padding.</summary>
    /// <param name="record">The record.</param>
    /// <param name="where">Which one it is.</param>
    /// <param name="vocabularySize">Bounds the ids.</param>
    /// <exception cref="InputException">A field is missing or wrong, or says what packing cannot express.</exception>
    public static List<(int[] Ids, int[] Labels)> Read(JsonElement record, string where, int vocabularySize)
    {
        int[] ids = JsonRecord.Integers(JsonRecord.Required(record, "input_ids", where), "input_ids", where);
        int[] labels = JsonRecord.Integers(JsonRecord.Required(record, "labels", where), "labels", where);
        RequireAsMany(ids, labels, "labels", where);
        RequireInVocabulary(ids, "input_ids", where, vocabularySize, ignoredAllowed: false);
        RequireInVocabulary(labels, "labels", where, vocabularySize, ignoredAllowed: true);
        (int begin, int end) = Kept(OptionalIntegers(record, "attention_mask", ids, where), labels, where);
        int[]? positions = OptionalIntegers(record, "position_ids", ids, where);
        int[] starts = positions is null ? [begin] : Starts(positions, begin, end, where);
        var parts = new List<(int[], int[])>();
        for (int i = 0; i < starts.Length && begin < end; i++)
        {
            Range range = starts[i]..(i + 1 < starts.Length ? starts[i + 1] : end);
            parts.Add((ids[range], labels[range]));
        }
        return parts;
    }

    /// <summary>The tokens between the padding.</summary>
    private static (int Begin, int End) Kept(int[]? mask, int[] labels, string where)
    {
        if (mask is null) return (0, labels.Length);
        int wrong = Array.FindIndex(mask, static value => value is not (0 or 1));
        if (wrong >= 0) throw new InputException($"{where}: field 'attention_mask'[{wrong}] is {mask[wrong]}: expected 0 or 1");
        int begin = Array.IndexOf(mask, 1);
        if (begin < 0) return (0, 0);
        int end = Array.LastIndexOf(mask, 1) + 1;
        int hole = Array.IndexOf(mask, 0, begin, end - begin);
        if (hole >= 0)
            throw new InputException($"{where}: field 'attention_mask'[{hole}] is 0 between tokens: expected 0 at the ends only");
        int labelled = Enumerable.Range(0, labels.Length)
            .FirstOrDefault(i => (i < begin || i >= end) && labels[i] != Sample.IgnoredLabel, -1);
        if (labelled >= 0)
            throw new InputException($"{where}: token {labelled} is padding by its attention_mask, but has the label {labels[labelled]}");
        return (begin, end);
    }

    /// <summary>
    /// Where parts begin. Rotary positions count by their differences alone, so that the first part may begin at any number, as it does
    /// after padding on the left.
    /// </summary>
    private static int[] Starts(int[] positions, int begin, int end, string where)
    {
        if (begin < end && positions[begin] < 0)
            throw new InputException($"{where}: field 'position_ids'[{begin}] is {positions[begin]}: expected 0 or more");
        var starts = new List<int> { begin };
        for (int i = begin + 1; i < end; i++)
        {
            if (positions[i] == 0) starts.Add(i);
            else if (positions[i] != positions[i - 1] + 1)
                throw new InputException(
                    $"{where}: field 'position_ids'[{i}] is {positions[i]} after {positions[i - 1]}: expected one more, or 0 where a new part begins");
        }
        return [.. starts];
    }

    private static int[]? OptionalIntegers(JsonElement record, string field, int[] ids, string where)
    {
        if (JsonRecord.Optional(record, field) is not { } value) return null;
        int[] numbers = JsonRecord.Integers(value, field, where);
        RequireAsMany(ids, numbers, field, where);
        return numbers;
    }

    private static void RequireAsMany(int[] ids, int[] others, string field, string where)
    {
        if (others.Length != ids.Length)
            throw new InputException($"{where}: {ids.Length} input_ids but {others.Length} {field}: expected equally many");
    }

    private static void RequireInVocabulary(int[] ids, string field, string where, int vocabularySize, bool ignoredAllowed)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)vocabularySize && !(ignoredAllowed && ids[i] == Sample.IgnoredLabel))
                throw new InputException($"{where}: field '{field}'[{i}] is {ids[i]}: expected a token id from 0 to {vocabularySize - 1}");
        }
    }
}
