using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace NativeVaccine.Numerics;

/// <summary>Work on several items at a time, on as many threads as there are processors.</summary>
internal static class Workers
{
    /// <summary>Calls <paramref name="body"/> for every item, beginning in their order. The first failure ends it, and is thrown as it is.</summary>
    public static void ForEach<T>(IEnumerable<T> items, Action<T> body, CancellationToken cancellation = default)
    {
        try
        {
            // Items differ in size by a thousand times, so each is handed out alone.
            Parallel.ForEach(
                Partitioner.Create(items, EnumerablePartitionerOptions.NoBuffering),
                new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellation },
                body);
        }
        catch (AggregateException exception)
        {
            ExceptionDispatchInfo.Throw(exception.InnerExceptions[0]);
        }
    }
}
