<?php

declare(strict_types=1);

namespace InnoAI\Resource;

use InnoAI\Internal\Call;
use InnoAI\Internal\Check;
use InnoAI\Model\ModelInfo;
use InnoAI\Page\Listing;
use InnoAI\Page\Page;

/** The models that the credential may use. */
final class Models extends Resource
{
    /** @return Page<ModelInfo> */
    public function list(): Page
    {
        return Page::first(new Listing($this->sender, '/models', ModelInfo::class, []));
    }

    /** The model of that name. */
    public function get(string $model): ModelInfo
    {
        return ModelInfo::from($this->sender->object(Call::get('/models/' . Check::segment('model', $model))));
    }
}
