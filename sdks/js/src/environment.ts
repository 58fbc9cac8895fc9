interface Runtime {
  process?: { env?: Record<string, string | undefined> };
  Deno?: { env?: { get?: (name: string) => string | undefined } };
}

/**
 * The environment variable, without surrounding white space; undefined where it is not set, where the runtime
 * has no environment (workers, browsers), and where it may not be read (Deno without --allow-env).
 */
export function variable(name: string): string | undefined {
  const runtime = globalThis as Runtime;
  try {
    const value = runtime.process?.env?.[name] ?? runtime.Deno?.env?.get?.(name);
    return value?.trim() || undefined;
  } catch {
    return undefined;
  }
}
