<?php

declare(strict_types=1);

namespace InnoAI\Tests\Server;

use InnoAI\Exception\ModelNotFound;
use InnoAI\Tests\Support\InnoaiServer;

final class InferenceTest extends ServerTestCase
{
    public function testAConversationGoesOn(): void
    {
        $answer = $this->client->chat->completions->create(self::HELLO);
        $choice = $answer->choices[0];
        self::assertSame(['assistant', 'one two three'], [$choice->message->role, $choice->message->content]);
        self::assertSame('stop', $choice->finish_reason);
        self::assertSame(3, $answer->usage?->prompt_tokens);
    }

    public function testAStreamIsReadPieceByPiece(): void
    {
        $stream = $this->client->chat->completions->create([...self::HELLO, 'stream' => true]);
        $pieces = [];
        foreach ($stream as $chunk) {
            $pieces[] = $chunk->choices[0]->delta->content ?? '';
        }
        self::assertGreaterThan(2, count($pieces));
        self::assertSame('one two three', trim(implode('', $pieces)));
    }

    public function testAStreamThatIsLeftEarlyLeavesTheClientUsable(): void
    {
        foreach ($this->client->chat->completions->stream(self::HELLO) as $chunk) {
            self::assertNotSame('', $chunk->id);
            break;
        }
        self::assertTrue($this->client->auth->validate()->valid);
    }

    public function testStreamsAreReadSideBySide(): void
    {
        $one = $this->client->chat->completions->stream(self::HELLO)->getIterator();
        $other = $this->client->chat->completions->stream(self::HELLO)->getIterator();
        $said = ['', ''];
        while ($one->valid() || $other->valid()) {
            foreach ([$one, $other] as $number => $chunks) {
                if ($chunks->valid()) {
                    $said[$number] .= $chunks->current()->choices[0]->delta->content ?? '';
                    $chunks->next();
                }
            }
        }
        self::assertSame(['one two three', 'one two three'], array_map(trim(...), $said));
    }

    public function testTextsBecomeVectors(): void
    {
        $params = ['model' => InnoaiServer::MODEL, 'input' => ['a', 'b'], 'encoding_format' => 'float'];
        $vectors = $this->client->embeddings->create($params);
        self::assertSame([0, 1], array_column($vectors->data, 'index'));
        self::assertIsFloat($vectors->data[0]->embedding[0]);
    }

    public function testModelsAreListedAndShown(): void
    {
        $names = array_map(static fn ($model): string => $model->id, iterator_to_array($this->client->models->list()));
        self::assertSame([InnoaiServer::MODEL], $names);
        self::assertSame(InnoaiServer::MODEL, $this->client->models->get(InnoaiServer::MODEL)->id);
        $this->expectException(ModelNotFound::class);
        $this->client->models->get('no such/model');
    }

    public function testAnyOtherRouteIsReached(): void
    {
        $answer = $this->client->request('POST', '/moderations', ['model' => InnoaiServer::MODEL, 'input' => 'Hello']);
        self::assertFalse($answer['results'][0]['flagged']);
    }

    public function testConversationsSideBySide(): void
    {
        $calls = [];
        foreach (range(1, 12) as $number) {
            $params = [...self::HELLO, 'messages' => [['role' => 'user', 'content' => "number {$number}"]]];
            $calls["call {$number}"] = fn () => $this->client->chat->completions->create($params);
        }
        $answers = $this->client->concurrently($calls, 4);
        self::assertSame(array_keys($calls), array_keys($answers));
        self::assertSame('number 7', $answers['call 7']->choices[0]->message->content);
    }
}
