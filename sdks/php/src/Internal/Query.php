<?php

declare(strict_types=1);

namespace InnoAI\Internal;

/**
 * The query of an address.
 *
 * @internal
 */
final class Query
{
    /**
     * `?limit=20&group_by=day,model`, or nothing. What is null is left out.
     *
     * @param array<string, mixed> $members
     */
    public static function text(array $members): string
    {
        $texts = [];
        foreach (Params::known($members) as $name => $value) {
            $texts[$name] = match (true) {
                is_bool($value) => $value ? 'true' : 'false',
                is_array($value) => implode(',', $value),
                default => $value,
            };
        }
        return $texts === [] ? '' : '?' . http_build_query($texts, '', '&', PHP_QUERY_RFC3986);
    }
}
