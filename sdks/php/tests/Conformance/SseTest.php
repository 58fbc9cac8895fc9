<?php

declare(strict_types=1);

namespace InnoAI\Tests\Conformance;

use InnoAI\Exception\APIError;
use InnoAI\Stream\Decoder;
use InnoAI\Stream\Frame;
use InnoAI\Tests\Support\ScriptedServer;
use PHPUnit\Framework\Attributes\DataProvider;

final class SseTest extends VectorTestCase
{
    protected const SUITE = 'sse';

    /** @return array<string, array{array<string, mixed>}> */
    public static function streams(): array
    {
        return self::vectors();
    }

    /** @return array<string, array{array<string, mixed>}> */
    public static function chatStreams(): array
    {
        return self::vectors('cases', ['text', 'error']);
    }

    /**
     * @dataProvider streams
     * @param array<string, mixed> $case
     */
    #[DataProvider('streams')]
    public function testEventsAtEveryBoundary(array $case): void
    {
        $stream = (string) base64_decode($case['stream'], true);
        $cuts = [$stream === '' ? [] : str_split($stream)];
        for ($at = 0; $at <= strlen($stream); $at++) {
            $cuts[] = [substr($stream, 0, $at), substr($stream, $at)];
        }
        foreach ($cuts as $pieces) {
            $decoder = new Decoder();
            $frames = array_merge([], ...array_map($decoder->feed(...), $pieces));
            $frames = array_values(array_filter($frames, static fn (Frame $frame): bool => $frame->data !== ''));
            $payloads = array_column($frames, 'data');
            $end = array_search('[DONE]', $payloads, true);
            $frames = array_slice($frames, 0, $end === false ? null : $end);
            self::assertSame([$case['data'], $case['done']], [array_column($frames, 'data'), $end !== false]);
            if (isset($case['events'])) {
                self::assertSame($case['events'], array_column($frames, 'event'));
            }
        }
    }

    /**
     * @dataProvider chatStreams
     * @param array<string, mixed> $case
     */
    #[DataProvider('chatStreams')]
    public function testChatStreams(array $case): void
    {
        $middle = intdiv(strlen((string) base64_decode($case['stream'], true)), 2);
        $answer = ['headers' => ['content-type' => 'text/event-stream'], 'base64' => $case['stream']];
        $script = ['POST /v1/chat/completions' => [[...$answer, 'split' => $middle]]];
        ScriptedServer::shared()->script($script);
        $messages = [['role' => 'user', 'content' => 'Hello']];
        $read = [];
        $said = null;
        try {
            $stream = self::client([])->chat->completions->stream(['model' => 'm', 'messages' => $messages]);
            foreach ($stream as $chunk) {
                $read[] = $chunk->choices[0]->delta->content;
            }
        } catch (APIError $problem) {
            $said = $problem->getMessage();
        }
        self::assertSame($case['error'] ?? null, $said);
        self::assertCount($case['yields'] ?? count($read), $read);
        self::assertSame($case['text'] ?? implode('', $read), implode('', $read));
    }
}
