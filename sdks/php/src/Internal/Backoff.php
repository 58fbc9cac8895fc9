<?php

declare(strict_types=1);

namespace InnoAI\Internal;

use InnoAI\Http\Response;

/**
 * Whether an answer is worth another attempt, and after how long.
 *
 * @internal
 */
final class Backoff
{
    /** Seconds before the first repetition; each following one waits twice as long. */
    private const FIRST = 0.5;
    private const LONGEST = 8.0;
    /** The share of a pause by which chance shortens it, at most. */
    private const JITTER = 0.25;
    /** Seconds that a server may ask to wait for; if it asks for more, the caller is told instead. */
    private const MOST_ASKED = 120.0;

    /**
     * Whether to send the request again after this refusal.
     *
     * 429 and 503 say that nothing was done. Of other failures one cannot know, so only a repeatable request goes out
     * once more. A conflict is final.
     */
    public static function repeats(Response $response, bool $repeatable): bool
    {
        if ((self::asked($response) ?? 0.0) > self::MOST_ASKED) {
            return false;
        }
        return match ($response->header('x-should-retry')) {
            'true' => true,
            'false' => false,
            default => in_array($response->status, [429, 503], true)
                || ($repeatable && ($response->status === 408 || $response->status >= 500)),
        };
    }

    /**
     * Seconds before the next attempt.
     *
     * @param int $retry 0 for the first
     * @param Response|null $response null where there was none
     */
    public static function pause(int $retry, ?Response $response): float
    {
        $asked = $response === null ? null : self::asked($response);
        if ($asked !== null && $asked > 0 && $asked <= self::MOST_ASKED) {
            return $asked;
        }
        $chance = random_int(0, 1_000_000) / 1_000_000;
        return min(self::FIRST * 2 ** min($retry, 16), self::LONGEST) * (1 - self::JITTER * $chance);
    }

    /** Seconds that the server asks to wait, by retry-after-ms or Retry-After in either form. */
    private static function asked(Response $response): ?float
    {
        $milliseconds = $response->header('retry-after-ms');
        if ($milliseconds !== null && is_numeric($milliseconds)) {
            return (float) $milliseconds / 1000;
        }
        $seconds = $response->header('retry-after');
        if ($seconds === null || is_numeric($seconds)) {
            return $seconds === null ? null : (float) $seconds;
        }
        $date = \DateTimeImmutable::createFromFormat('D, d M Y H:i:s \G\M\T', $seconds, new \DateTimeZone('UTC'));
        return $date === false ? null : (float) ($date->getTimestamp() - time());
    }
}
