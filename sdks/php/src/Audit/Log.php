<?php

declare(strict_types=1);

namespace InnoAI\Audit;

/**
 * Is this audit log whole? The chain of its hashes, computed anew; no server is asked.
 *
 * A changed, removed or inserted entry breaks a link. Who owns the whole log could write all of it anew; a Head kept
 * from an earlier time tells even that.
 */
final class Log
{
    /**
     * Follow the chain through all lines of an export, the oldest first.
     *
     * @param iterable<string> $lines empty ones do not count
     * @param iterable<Head> $heads what the log has to pass through, as the server or an earlier verification names it
     */
    public static function verify(iterable $lines, iterable $heads = []): Verified|BrokenLink
    {
        $chain = new Chain($heads);
        foreach ($lines as $line) {
            $line = trim($line);
            $broken = $line === '' ? null : $chain->take($line);
            if ($broken !== null) {
                return $broken;
            }
        }
        return $chain->end();
    }
}
