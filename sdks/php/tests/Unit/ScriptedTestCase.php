<?php

declare(strict_types=1);

namespace InnoAI\Tests\Unit;

use InnoAI\Client;
use InnoAI\Tests\Support\ScriptedServer;
use PHPUnit\Framework\TestCase;

/** A test against the scripted server. */
abstract class ScriptedTestCase extends TestCase
{
    protected const KEY = 'sk-inno-not-to-be-shown';
    protected const CHAT = ['model' => 'm', 'messages' => [['role' => 'user', 'content' => 'Hello']]];
    protected const VALID = [
        'valid' => true,
        'key_id' => 'key_1',
        'scopes' => ['inference:read'],
        'rate_limit' => 1000,
        'tier' => 'startup',
    ];
    protected const COMPLETION = [
        'id' => 'c',
        'object' => 'chat.completion',
        'created' => 1,
        'model' => 'm',
        'choices' => [['index' => 0, 'message' => ['role' => 'assistant', 'content' => 'Hello']]],
    ];

    /** @param array<string, mixed> $options */
    protected static function client(array $options = []): Client
    {
        return new Client(['api_key' => self::KEY, 'base_url' => ScriptedServer::shared()->baseUrl, ...$options]);
    }

    /** @param array<string, mixed>|list<array<string, mixed>> ...$answers by their routes */
    protected static function script(array $answers): void
    {
        ScriptedServer::shared()->script($answers);
    }

    /** @return list<array<string, mixed>> */
    protected static function seen(): array
    {
        return ScriptedServer::shared()->seen();
    }

    /**
     * A refusal as an answer of the script.
     *
     * @return array<string, mixed>
     */
    protected static function refusal(int $status, string $code): array
    {
        $error = ['code' => $code, 'message' => 'No.', 'type' => 't', 'request_id' => 'req_1'];
        return ['status' => $status, 'headers' => ['retry-after-ms' => '1'], 'json' => ['error' => $error]];
    }
}
