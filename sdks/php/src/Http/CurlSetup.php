<?php

declare(strict_types=1);

namespace InnoAI\Http;

/**
 * A request as options of a curl handle.
 *
 * @internal
 */
final class CurlSetup
{
    /** @param \Closure(): void $moved told when a part of the body leaves */
    public static function apply(\CurlHandle $handle, Request $request, ?string $caFile, \Closure $moved): void
    {
        curl_setopt_array($handle, [
            CURLOPT_URL => $request->url,
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
            CURLOPT_CUSTOMREQUEST => $request->method,
            CURLOPT_HTTPHEADER => self::lines($request),
            CURLOPT_CONNECTTIMEOUT_MS => (int) ceil($request->connectTimeout * 1000),
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_SUPPRESS_CONNECT_HEADERS => true,
            CURLOPT_NOSIGNAL => true,
            CURLOPT_TCP_NODELAY => true,
        ]);
        if ($caFile !== null) {
            curl_setopt($handle, CURLOPT_CAINFO, $caFile);
        }
        if ($request->body() !== null) {
            self::upload($handle, $request->body(), $moved);
        } elseif (!$request->repeatable) {
            // On a kept connection that turns out to be dead, curl would send a request without a body once more.
            curl_setopt($handle, CURLOPT_FRESH_CONNECT, true);
        }
    }

    /**
     * The body by a callback that cannot be rewound. With CURLOPT_POSTFIELDS curl would silently repeat the request
     * when a kept connection breaks before the answer, although the server may have acted upon it.
     */
    private static function upload(
        \CurlHandle $handle,
        #[\SensitiveParameter] string $body,
        \Closure $moved,
    ): void {
        $sent = 0;
        $read = static function (\CurlHandle $handle, mixed $file, int $most) use ($body, $moved, &$sent): string {
            $moved();
            $piece = substr($body, $sent, $most);
            $sent += strlen($piece);
            return $piece;
        };
        curl_setopt_array($handle, [
            CURLOPT_UPLOAD => true,
            CURLOPT_INFILESIZE => strlen($body),
            CURLOPT_READFUNCTION => $read,
        ]);
    }

    /** @return list<string> */
    private static function lines(Request $request): array
    {
        // Without this curl would ask before it sends a large body, and wait a second for a server that says nothing.
        $lines = ['Expect:'];
        foreach ($request->headers() as $name => $value) {
            $lines[] = "{$name}: {$value}";
        }
        if ($request->body() === null && $request->method !== 'GET' && $request->method !== 'HEAD') {
            $lines[] = 'Content-Length: 0';
        }
        return $lines;
    }
}
